using System.Text;

namespace TinyMoE.Cli.Output;

/// <summary>
/// An output for text that may hold anything, as names of files, labels and what a model writes: what would steer a terminal or turn the
/// direction of its text is replaced.
/// </summary>
internal sealed class CleanWriter(GuardedWriter guard) : TextWriter
{
    private bool carriageReturn; // kept back until the next character shows whether it belongs to the end of a line

    /// <summary>The output below, which takes everything.</summary>
    public GuardedWriter Guard => guard;

    public override Encoding Encoding => guard.Encoding;

    public override void Write(char value) => Write(new string(value, 1));

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void Write(ReadOnlySpan<char> buffer) => Write(buffer.ToString());

    public override void Write(string? value)
    {
        if (string.IsNullOrEmpty(value))
            return;
        string text = carriageReturn ? '\r' + value : value;
        carriageReturn = text[^1] == '\r';
        guard.Write(Printable.Clean(carriageReturn ? text[..^1] : text));
    }

    public override void WriteLine(string? value) => Write(value + NewLine);

    public override void Flush() => guard.Flush();
}
