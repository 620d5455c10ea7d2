using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using TinyMoE.Files;
using TinyMoE.Memory;

namespace TinyMoE.Cli;

/// <summary>Options that several commands share, and kinds of options whose errors say what is wanted.</summary>
internal static class Options
{
    /// <summary>More threads than any machine this is made for has cores; each takes memory of its own.</summary>
    private const int MostThreads = 1024;

    public static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    public static Option<string?> Text(string name, string helpName, string description) =>
        new(name) { HelpName = helpName, Description = description };

    /// <summary>A path, which is not empty.</summary>
    public static Option<string?> Path(string name, string helpName, string description)
    {
        Option<string?> option = Text(name, helpName, description);
        option.Validators.Add(RequirePaths);
        return option;
    }

    /// <summary>Refuses a path that is empty, as a variable of a script that nobody set.</summary>
    public static void RequirePaths(OptionResult result)
    {
        if (result.Tokens.Any(token => token.Value.Length == 0))
            result.AddError($"{result.Option.Name} needs a path that is not empty");
    }

    public static Option<string[]> Texts(string name, string helpName, string description) => new(name)
    {
        HelpName = helpName + " ...",
        Description = description,
        AllowMultipleArgumentsPerToken = true,
        Arity = ArgumentArity.OneOrMore,
    };

    /// <summary>--ids: tokens by their ids, with commas between them.</summary>
    public static Option<int[]?> Ids(string description) => new("--ids")
    {
        HelpName = "N,N,...",
        Description = description,
        CustomParser = result =>
        {
            string text = string.Join(',', result.Tokens.Select(token => token.Value));
            string[] parts = text.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries);
            int[] read = new int[parts.Length];
            for (int i = 0; i < parts.Length; i++)
            {
                if (int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out read[i]))
                    continue;
                result.AddError($"--ids needs whole numbers with commas between them, as 1,2,3, not '{Excerpt.Of(text)}'");
                return null;
            }

            if (parts.Length == 0)
                result.AddError("--ids needs at least one id, as 1,2,3");
            return read;
        },
    };

    /// <summary>A number of bytes, with a unit if one likes: 500MB, 2GiB.</summary>
    public static Option<long?> Bytes(string name, string description) => new(name)
    {
        HelpName = "SIZE",
        Description = description,
        CustomParser = result =>
        {
            try
            {
                return Size.Parse(result.Tokens[0].Value);
            }
            catch (TinyMoEException e)
            {
                result.AddError($"{name}: {e.Message}");
                return null;
            }
        },
    };

    /// <summary>A whole number, at least <paramref name="least"/>.</summary>
    public static Option<int?> Whole(string name, int least, string description) =>
        Whole(name, value => value >= least, $"a whole number, at least {least}", description);

    /// <summary>A number that is <paramref name="good"/>; <paramref name="needs"/> says so in words.</summary>
    public static Option<float?> Number(string name, Predicate<float> good, string needs, string description) => new(name)
    {
        HelpName = "X",
        Description = description,
        CustomParser = result => Read<float>(result, NumberStyles.Float, value => float.IsFinite(value) && good(value), needs),
    };

    /// <summary>An option whose value is one of a few words.</summary>
    public static Option<string?> OneOf(string name, string description, params string[] words) => new(name)
    {
        HelpName = string.Join('|', words),
        Description = description,
        CustomParser = result =>
        {
            string word = result.Tokens[0].Value;
            if (words.Contains(word))
                return word;
            result.AddError($"{name} has no '{Excerpt.Of(word)}'; known: {string.Join(", ", words)}");
            return null;
        },
    };

    public static Option<int?> Threads() => Whole(
        "--threads", value => value is >= 1 and <= MostThreads, $"a whole number from 1 to {MostThreads}",
        "Threads of the processor; all cores if not said. The result is the same for any number.");

    public static Option<bool> Json() => Flag("--json", "Print JSON, one object per line, and nothing else.");

    public static Option<ulong?> Seed(string description) => new("--seed")
    {
        HelpName = "N",
        Description = description,
        CustomParser = result => Read<ulong>(result, NumberStyles.None, _ => true, "a whole number, at least 0"),
    };

    /// <summary>A whole number that is <paramref name="good"/>; <paramref name="needs"/> says so in words.</summary>
    public static Option<int?> Whole(string name, Predicate<int> good, string needs, string description) => new(name)
    {
        HelpName = "N",
        Description = description,
        CustomParser = result => Read<int>(result, NumberStyles.AllowLeadingSign, good, needs),
    };

    private static T? Read<T>(ArgumentResult result, NumberStyles style, Predicate<T> good, string needs)
        where T : struct, INumber<T>
    {
        string text = result.Tokens[0].Value;
        if (T.TryParse(text, style, CultureInfo.InvariantCulture, out T value) && good(value))
            return value;
        result.AddError($"{((OptionResult)result.Parent!).Option.Name} needs {needs}, not '{Excerpt.Of(text)}'");
        return null;
    }
}
