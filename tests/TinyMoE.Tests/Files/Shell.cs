using System.Diagnostics;

namespace TinyMoE.Tests.Files;

/// <summary>What only a shell makes: pipes, names that are not UTF-8.</summary>
internal static class Shell
{
    /// <summary>Runs a command in a folder; it must end well.</summary>
    public static void Run(string folder, string command)
    {
        using Process shell = Process.Start(new ProcessStartInfo("sh", ["-c", command]) { WorkingDirectory = folder })!;
        shell.WaitForExit();
        Assert.Equal(0, shell.ExitCode);
    }
}
