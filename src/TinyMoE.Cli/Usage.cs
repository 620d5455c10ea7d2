using System.CommandLine;
using System.CommandLine.Parsing;
using TinyMoE.Cli.Output;
using TinyMoE.Configuration;
using TinyMoE.Files;

namespace TinyMoE.Cli;

/// <summary>Says in one line what is wrong with a command line.</summary>
internal static class Usage
{
    /// <summary>The first mistake, or null where there is none.</summary>
    public static string? Error(ParseResult parsed, string[] args)
    {
        Command command = parsed.CommandResult.Command;
        if (args is [['[', ..], ..])
            return $"unknown command '{Excerpt.Of(args[0])}'"; // the parser would drop it as a directive
        if (WrongOption(command, args) is { } wrong)
            return wrong;
        if (parsed.UnmatchedTokens.Count > 0)
        {
            string word = parsed.UnmatchedTokens[0];
            return command.Subcommands.Count > 0
                ? $"unknown command '{Excerpt.Of(word)}'{Nearest.Hint(word, command.Subcommands.Select(known => known.Name))}"
                : $"'{Excerpt.Of(word)}' is one word too many (a text of several words goes in quotes)";
        }
        return parsed.Errors.Count == 0 ? null : Describe(parsed.Errors[0]);
    }

    /// <summary>The words that call a command: "tinymoe tokenizer train", "tinymoe train", "tinymoe".</summary>
    public static string NameOf(Command command) =>
        command is RootCommand ? "tinymoe" : $"{NameOf(command.Parents.OfType<Command>().First())} {command.Name}";

    /// <summary>
    /// Looks at the words themselves: the parser would take any option, known or not, for the value of the option before it.
    /// </summary>
    private static string? WrongOption(Command command, string[] args)
    {
        IEnumerable<Option> inherited =
            command.Parents.OfType<Command>().SelectMany(parent => parent.Options).Where(option => option.Recursive);
        Dictionary<string, Option> known = command.Options.Concat(inherited)
            .SelectMany(option => option.Aliases.Prepend(option.Name).Select(name => (name, option))).ToDictionary();
        Option? hungry = null;
        foreach (string word in args.TakeWhile(word => word != "--"))
        {
            string name = word.Split('=', ':')[0];
            if (!LooksLikeOption(name))
            {
                hungry = null;
                continue;
            }
            if (!known.TryGetValue(name, out Option? option))
                return $"unknown option '{Excerpt.Of(name)}'{Nearest.Hint(name, known.Keys)}";
            if (hungry is not null)
                return $"{hungry.Name} needs a value";
            hungry = name == word && option.Arity.MinimumNumberOfValues > 0 ? option : null;
        }
        return null;
    }

    private static bool LooksLikeOption(string word)
    {
        string letters = word.TrimStart('-');
        return letters.Length > 0 && letters.Length < word.Length && word.Length - letters.Length <= 2
            && char.IsAsciiLetter(letters[0]) && !letters.Any(char.IsWhiteSpace);
    }

    private static string Describe(ParseError error)
    {
        OptionResult? option = error.SymbolResult as OptionResult ?? error.SymbolResult?.Parent as OptionResult;
        if (option is { Implicit: false, Tokens.Count: 0 } && option.Option.Arity.MinimumNumberOfValues > 0)
            return $"{option.Option.Name} needs a value";
        if (option is { IdentifierTokenCount: > 1 } && option.Option.Arity.MaximumNumberOfValues == 1)
            return $"{option.Option.Name} is given {option.IdentifierTokenCount} times";
        string message = Words.OneLine(error.Message).TrimEnd('.', ' ');
        return char.IsUpper(message[0]) ? char.ToLowerInvariant(message[0]) + message[1..] : message;
    }
}
