using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using TinyMoE.Cli;
using TinyMoE.Cli.Output;

try
{
    return Start(args);
}
catch (Exception e) when (!OperatingSystem.IsWindows() && Failures.OfTheSystem(e) is not null)
{
    // Not even what errors are written with elsewhere could be loaded.
    const int ErrorOutput = 2;
    using FileStream error = new(new SafeFileHandle(ErrorOutput, ownsHandle: false), FileAccess.Write, bufferSize: 0);
    error.Write(Encoding.UTF8.GetBytes($"tinymoe: {Failures.OfTheSystem(e)}\n"));
    return 1;
}

[MethodImpl(MethodImplOptions.NoInlining)]
static int Start(string[] args)
{
    using IDisposable? limits = StandardStreams.TakeLimitsAsErrors();
    (TextWriter? output, TextWriter? error) = StandardStreams.Open();
    return Cli.Run(args, output, error);
}
