using System.Text;

namespace TinyMoE.Cli.Output;

/// <summary>An output that cannot be written; a reader who is gone wants no more of it.</summary>
internal sealed class OutputException(string reason, bool readerGone) : Exception(reason)
{
    public bool ReaderGone { get; } = readerGone;
}

/// <summary>
/// All that the program writes goes through one of these: it remembers the first failure and writes nothing more after it. The failure
/// ends the command, unless it <see cref="GoesOn"/>.
/// </summary>
internal sealed class GuardedWriter : TextWriter
{
    /// <summary>Numbers of the system: EPIPE; ECONNRESET, of Linux and of macOS; EIO, of a terminal that is gone; ENOSPC.</summary>
    private const int BrokenPipe = 32, ConnectionReset = 104, ConnectionResetOfMac = 54, TerminalGone = 5, DiskFull = 28;

    private readonly TextWriter inner;

    /// <summary>Guards a writer; null stands for an output that is closed.</summary>
    public GuardedWriter(TextWriter? inner)
    {
        this.inner = inner ?? Null;
        IsTerminal = inner is not null && ReferenceEquals(inner, Console.Out) && !Console.IsOutputRedirected;
        if (inner is null)
            Failure = new OutputException("the output could not be written: it is closed", readerGone: false);
    }

    /// <summary>Whether what is written goes to a terminal.</summary>
    public bool IsTerminal { get; }

    /// <summary>Whether the command does its work without the output too: then a failure is only remembered.</summary>
    public bool GoesOn { get; set; }

    /// <summary>The first failure; null: there was none.</summary>
    public OutputException? Failure { get; private set; }

    public override Encoding Encoding => inner.Encoding;

    /// <summary>Throws the first failure, unless the command goes on without its output.</summary>
    public void Check()
    {
        if (Failure is not null && !GoesOn)
            throw Failure;
    }

    public override void Write(char value) => Write(new string(value, 1));

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void Write(ReadOnlySpan<char> buffer) => Write(buffer.ToString());

    public override void Write(string? value) => Try(() => inner.Write(value));

    public override void WriteLine(string? value) => Write(value + NewLine);

    public override void Flush() => Try(inner.Flush);

    private void Try(Action write)
    {
        try
        {
            if (Failure is null)
                write();
        }
        catch (Exception e) when (e is (IOException or UnauthorizedAccessException or ObjectDisposedException)
            and not (FileNotFoundException or FileLoadException)) // which are of parts of the program
        {
            bool gone = e.HResult is BrokenPipe or ConnectionReset or ConnectionResetOfMac || (IsTerminal && e.HResult == TerminalGone);
            string reason = e.HResult == DiskFull ? "the disk is full" : Words.OneLine(e.Message).TrimEnd('.');
            Failure = new OutputException($"the output could not be written: {reason}", gone);
        }

        Check();
    }
}
