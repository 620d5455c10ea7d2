namespace TinyMoE.Tests.Cli;

/// <summary>What one command line gave, run inside the test.</summary>
internal sealed record CommandLine(int ExitCode, string Output, string Error)
{
    public static CommandLine Run(params string[] args) => Run(null, args);

    /// <summary>With an input of its own; null: the process's.</summary>
    public static CommandLine Run(TextReader? input, string[] args)
    {
        StringWriter output = new(), error = new();
        int exitCode = TinyMoE.Cli.Cli.Run(args, output, error, input);
        return new CommandLine(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>The lines of the error output.</summary>
    public string[] OutputLines => Output.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');

    public string[] ErrorLines => Error.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
}
