using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace TinyMoE.Cli.Output;

/// <summary>The output and the error output of the process; null for one that is closed.</summary>
internal static class StandardStreams
{
    private const int OutputDescriptor = 1, ErrorDescriptor = 2;

    /// <summary>SIGXFSZ, with which Unix ends a process whose file grows beyond its limit.</summary>
    private const PosixSignal FileTooLarge = (PosixSignal)25;

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);
    private static readonly List<SafeFileHandle> Placeholders = [];

    /// <summary>Opens both. Where one is closed nothing that the program opens later takes its number, and so its output.</summary>
    public static (TextWriter? Output, TextWriter? Error) Open()
    {
        bool output = IsOpen(OutputDescriptor), error = IsOpen(ErrorDescriptor);
        if (!output || !error)
            Reserve();
        if (OperatingSystem.IsWindows() || (output && !Console.IsOutputRedirected) || (error && !Console.IsErrorRedirected))
            Console.OutputEncoding = Utf8;
        return (
            output ? Writer(OutputDescriptor, Console.IsOutputRedirected, () => Console.Out) : null,
            error ? Writer(ErrorDescriptor, Console.IsErrorRedirected, () => Console.Error) : null);
    }

    /// <summary>Makes an error of writing of what would end the process: a file beyond the limit on its size.</summary>
    public static IDisposable? TakeLimitsAsErrors() =>
        OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(FileTooLarge, context => context.Cancel = true);

    private static bool IsOpen(int descriptor) => OperatingSystem.IsWindows() || DescriptorStream.IsOutput(descriptor);

    private static TextWriter Writer(int descriptor, bool redirected, Func<TextWriter> console) =>
        redirected && !OperatingSystem.IsWindows()
            ? new StreamWriter(new DescriptorStream(descriptor), Utf8) { AutoFlush = true }
            : console();

    /// <summary>Opens a file that swallows everything until the free numbers up to that of the error output are taken.</summary>
    private static void Reserve()
    {
        do
            Placeholders.Add(File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite));
        while (Placeholders[^1].DangerousGetHandle() <= ErrorDescriptor);
    }
}
