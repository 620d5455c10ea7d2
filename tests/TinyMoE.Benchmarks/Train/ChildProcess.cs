using System.Diagnostics;

namespace TinyMoE.Benchmarks;

/// <summary>Another process: one that prints one line of JSON last, or this same program again.</summary>
internal static class ChildProcess
{
    /// <summary>Runs this same program with these words.</summary>
    public static string RunSelf(params string[] arguments)
    {
        (string program, string[] words) = Self(arguments);
        return Run(program, words);
    }

    /// <summary>Runs this same program with these words in its place: what it prints and its exit code are ours.</summary>
    public static int PassThrough(string[] arguments, IReadOnlyDictionary<string, string?> environment)
    {
        (string program, string[] words) = Self(arguments);
        ProcessStartInfo start = new(program, words);
        foreach ((string name, string? value) in environment)
            start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>The last line that it prints.</summary>
    /// <exception cref="TinyMoEException">It cannot be started, or fails.</exception>
    public static string Run(string program, string[] arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        (int code, string output, string error) =
            Start(program, arguments, environment) ?? throw new TinyMoEException($"{program} cannot be started");
        return code == 0 && LastLine(output) is { } line
            ? line
            : throw new TinyMoEException($"{Path.GetFileName(program)} {string.Join(' ', arguments)} failed: "
                + $"{LastLine(error) ?? $"exit code {code}"}");
    }

    /// <summary>Exit code, output and errors; null where the program is not on this machine.</summary>
    public static (int Code, string Output, string Error)? Start(
        string program, string[] arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string? value) in environment ?? new Dictionary<string, string?>())
            start.Environment[name] = value;
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error.Result);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private static (string Program, string[] Words) Self(string[] arguments)
    {
        string program = Environment.ProcessPath ?? "dotnet";
        bool isHost = Path.GetFileNameWithoutExtension(program).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        return (program, isHost ? [typeof(ChildProcess).Assembly.Location, .. arguments] : arguments);
    }

    /// <summary>The last line that says something; null where there is none.</summary>
    public static string? LastLine(string text) =>
        text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault();
}
