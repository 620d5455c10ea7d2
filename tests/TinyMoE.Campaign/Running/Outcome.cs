namespace TinyMoE.Campaign;

/// <summary>How a run of the command ended.</summary>
/// <param name="ExitCode">Its exit code; 128 + the signal where one ended it.</param>
/// <param name="Output">What it printed; nothing where a signal ended it.</param>
/// <param name="Error">What it said went wrong.</param>
internal sealed record Outcome(int ExitCode, string Output, string Error)
{
    /// <summary>The exit code of what was killed, and of what took too long.</summary>
    public const int Killed = 128 + 9, TooLong = 128 + 14;

    private const int LongestLine = 600;

    /// <summary>What is wrong with how it failed: an error is lines for people, the last of them the command's; null: nothing.</summary>
    public string? BadManners()
    {
        string[] lines = Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (ExitCode == TooLong)
            return "it hangs";
        if (ExitCode != 1)
            return $"it ends with {ExitCode}: {Error.Trim()}";
        if (lines.Length == 0 || !lines[^1].StartsWith("tinymoe: ", StringComparison.Ordinal))
            return $"it fails without saying why: {Error.Trim()}";
        return Array.Find(lines, line => line.Contains("this is a bug", StringComparison.Ordinal)
            || line.StartsWith("   at ", StringComparison.Ordinal) || line.Length > LongestLine);
    }

    /// <summary>How it ended, in a few words.</summary>
    public override string ToString() => $"exit {ExitCode}{(Error.Length > 0 ? $", '{Error.Trim().ReplaceLineEndings(" / ")}'" : "")}";
}

/// <summary>A run of the command that goes on.</summary>
internal interface IRunning
{
    /// <summary>Whether it has ended.</summary>
    bool HasEnded { get; }

    /// <summary>Waits for its end.</summary>
    Outcome Wait();
}

/// <summary>Starts the command.</summary>
internal interface IRunner : IDisposable
{
    /// <summary>Starts it with these words, and what the shim does to it.</summary>
    IRunning Start(ShimOrder order, params string[] arguments);
}
