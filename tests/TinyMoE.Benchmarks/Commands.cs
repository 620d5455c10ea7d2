using System.CommandLine;
using System.CommandLine.Parsing;

namespace TinyMoE.Benchmarks;

/// <summary>The commands that measure against a named peer. Exit codes: 0 done, 1 it could not be done, 2 wrong usage.</summary>
internal static class Commands
{
    private const int Failed = 1, WrongUsage = 2;

    private static readonly string[] Help = ["--help", "-h", "-?"];

    /// <summary>Whether the first word of a command line is ours.</summary>
    public static bool Knows(string word) => Help.Contains(word) || Root().Subcommands.Any(command => command.Name == word);

    /// <summary>Runs one command and returns the exit code.</summary>
    public static int Run(string[] args)
    {
        ParserConfiguration parser = new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };
        ParseResult parsed = Root().Parse(args.Length == 0 ? [Help[0]] : args, parser);
        if (parsed.Errors.Count > 0 && parsed.Action is not System.CommandLine.Help.HelpAction)
        {
            string wrong = WrongWord(parsed) ?? parsed.Errors[0].Message.ReplaceLineEndings(" ").TrimEnd('.', ' ');
            Console.Error.WriteLine($"benchmarks: {wrong}; try '{parsed.CommandResult.Command.Name} --help'");
            return WrongUsage;
        }
        try
        {
            return AtItsWidth(parsed, args) ?? parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (Exception e) when (e is TinyMoEException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"benchmarks: {e.Message.ReplaceLineEndings(" ")}");
            return Failed;
        }
    }

    public static Option<bool> Json() => new("--json") { Description = "Print one JSON object per line instead of the table." };

    public static Option<int> Threads() => Whole("--threads", Environment.ProcessorCount, 1, "Threads of both; all cores if not said.");

    public static Option<string> Preset() => new("--preset")
    {
        HelpName = "NAME",
        Description = "The model, with random weights; bench if not said.",
        DefaultValueFactory = _ => "bench",
    };

    /// <summary>A whole number, at least <paramref name="least"/>.</summary>
    public static Option<int> Whole(string name, int value, int least, string description) => new(name)
    {
        HelpName = "N",
        Description = description,
        DefaultValueFactory = _ => value,
        CustomParser = result =>
        {
            if (int.TryParse(result.Tokens[0].Value, out int number) && number >= least)
                return number;
            result.AddError($"{name} needs a whole number, at least {least}, not '{result.Tokens[0].Value}'");
            return value;
        },
    };

    /// <summary>Some of a few words; if none is given all of them, or the usual one where there is one.</summary>
    public static Option<string[]> SomeOf(string name, string helpName, string description, string[] words, string? usual = null)
    {
        Option<string[]> option = new(name)
        {
            HelpName = helpName,
            Description = $"{description}: {string.Join(", ", words)}; {usual ?? "all"} if not said.",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => usual is null ? words : [usual],
        };
        option.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens.Where(token => !words.Contains(token.Value)))
                result.AddError($"{name} has no '{token.Value}'; known: {string.Join(", ", words)}");
        });
        return option;
    }

    private static RootCommand Root() => new(
        "Measures TinyMoE against named peers, in turns in one run. Anything that is no command goes to BenchmarkDotNet: "
            + "--list flat shows its kernels, --filter '*Attention*' times some.")
    {
        MatmulCommand.Create(),
        KernelsCommand.Create(),
        TrainCommand.Create(),
        TrainingChild.Create(),
        GenerateCommand.Create(),
        DecodeCommand.Create(),
        ServeCommand.Create(),
        OpenCommand.Create(),
        ScalingCommand.Create(),
        RoutersCommand.Create(),
        CostsCommand.Create(),
        CheckpointCommand.Create(),
        TokenizersCommand.Create(),
        StartCommand.Create(),
    };

    /// <summary>The exit code of a command that ran in a process of the width asked for; null where this is that process.</summary>
    private static int? AtItsWidth(ParseResult parsed, string[] args)
    {
        IEnumerable<Option<int?>> options = parsed.CommandResult.Command.Options.OfType<Option<int?>>();
        return parsed.Action is not System.CommandLine.Help.HelpAction
            && options.SingleOrDefault(option => option.Name == VectorWidth.Word) is { } bits
            ? VectorWidth.Restart(args, parsed.GetValue(bits))
            : null;
    }

    private static string? WrongWord(ParseResult parsed) => parsed.UnmatchedTokens.Count == 0
        ? null
        : $"unknown {(parsed.UnmatchedTokens[0].StartsWith('-') ? "option" : "word")} '{parsed.UnmatchedTokens[0]}'";
}
