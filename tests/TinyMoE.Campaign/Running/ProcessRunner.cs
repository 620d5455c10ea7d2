using System.Diagnostics;

namespace TinyMoE.Campaign;

/// <summary>Starts the built command each time, as a person does.</summary>
internal sealed class ProcessRunner(string shim, string program) : IRunner
{
    /// <inheritdoc/>
    public IRunning Start(ShimOrder order, params string[] arguments)
    {
        ProcessStartInfo start = program.EndsWith(".dll", StringComparison.Ordinal)
            ? ProgramFiles.Dotnet(program, arguments) : new ProcessStartInfo(program, arguments);
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        start.Environment["LD_PRELOAD"] = shim;
        start.Environment[Shim.OrderVariable] = order.Text;
        start.Environment["DOTNET_TC_QuickJitForLoops"] = "1"; // a short run is compiled quickly rather than well
        return new Run(Process.Start(start)!);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private sealed class Run : IRunning
    {
        private readonly Process process;
        private readonly Task<string> output, error;

        public Run(Process process)
        {
            this.process = process;
            (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        }

        public bool HasEnded => process.HasExited;

        public Outcome Wait()
        {
            bool ended = process.WaitForExit(TimeSpan.FromSeconds(Server.LongestRunSeconds));
            if (!ended)
                process.Kill();
            process.WaitForExit();
            return new Outcome(ended ? process.ExitCode : Outcome.TooLong, output.Result, error.Result);
        }
    }
}

/// <summary>Where programs are.</summary>
internal static class ProgramFiles
{
    /// <summary>The built command, which lies beside this program.</summary>
    public static string Command => Path.Combine(AppContext.BaseDirectory, "tinymoe.dll");

    /// <summary>How a .NET program is started by the dotnet that runs this one.</summary>
    public static ProcessStartInfo Dotnet(string program, params string[] arguments)
    {
        string runtime = System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory();
        string host = Path.GetFullPath(Path.Combine(runtime, "..", "..", "..", "dotnet"));
        return new ProcessStartInfo(File.Exists(host) ? host : "dotnet", [program, .. arguments]);
    }
}
