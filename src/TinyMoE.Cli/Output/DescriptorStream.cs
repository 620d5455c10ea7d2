using System.Runtime.InteropServices;

namespace TinyMoE.Cli.Output;

/// <summary>
/// A descriptor of a Unix process that is written to. .NET's own streams do not do for an output that is not a terminal: the console's
/// hides that a pipe's reader is gone, and a file's has an offset of its own, though two programs may write to one file.
/// </summary>
internal sealed class DescriptorStream(int descriptor) : Stream
{
    private const int CallAgain = 4;                                                          // EINTR
    private const int GetFlags = 1, CloseOnExec = 1, GetStatus = 3, AccessMode = 3, ReadOnly = 0; // of fcntl
    private static readonly int WouldBlock = OperatingSystem.IsLinux() ? 11 : 35;             // EAGAIN
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>
    /// Whether the descriptor was given to this process to write to. One that was closed may be the runtime's by now, which makes all of
    /// its own such that another program would not inherit them.
    /// </summary>
    public static bool IsOutput(int descriptor)
    {
        int flags = Control(descriptor, GetFlags);
        return flags >= 0 && (flags & CloseOnExec) == 0 && (Control(descriptor, GetStatus) & AccessMode) != ReadOnly;
    }

    /// <summary>Writes all of it. The error's <see cref="Exception.HResult"/> is the system's number.</summary>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            nint written = Write(descriptor, ref MemoryMarshal.GetReference(buffer), buffer.Length);
            if (written >= 0)
            {
                buffer = buffer[(int)written..];
                continue;
            }

            int error = Marshal.GetLastPInvokeError();
            if (error == WouldBlock)
                Thread.Sleep(Pause);
            else if (error != CallAgain)
                throw new IOException(Marshal.GetPInvokeErrorMessage(error), error);
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    [DllImport("libc", EntryPoint = "write", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Write(int descriptor, ref byte buffer, nint count);

    [DllImport("libc", EntryPoint = "fcntl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Control(int descriptor, int command);
}
