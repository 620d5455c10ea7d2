using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace TinyMoE.Cli;

/// <summary>A command whose help ends with examples.</summary>
internal sealed class CommandWithExamples(string name, string description, string examples) : Command(name, description)
{
    /// <summary>Lines to type, each with what it does.</summary>
    public string Examples { get; } = examples;

    /// <summary>Whether its work is more than its output: then it goes on where nothing can be written.</summary>
    public bool WorksWithoutOutput { get; init; }
}

/// <summary>Prints the usual help, then the command's examples.</summary>
internal sealed class HelpWithExamples : SynchronousCommandLineAction
{
    private const string RootExamples = """
        tinymoe train                                        train a small Mixtral on .NET's documentation
        tinymoe generate --run runs/mixtral-tiny             let it write
        tinymoe train --help                                 all options of a command
        """;

    private readonly HelpAction help = new() { MaxWidth = 110 };

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        help.Invoke(parseResult);
        TextWriter output = parseResult.InvocationConfiguration.Output;
        string examples = parseResult.CommandResult.Command is CommandWithExamples command ? command.Examples : RootExamples;
        output.WriteLine("Examples:");
        foreach (string line in examples.Split('\n'))
            output.WriteLine($"  {line}".TrimEnd());
        return Cli.Done;
    }
}
