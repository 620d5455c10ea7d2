using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using TinyMoE.Configuration;
using TinyMoE.Families;
using TinyMoE.Families.Config;
using TinyMoE.Tests.Cli;

namespace TinyMoE.Tests.Docs;

/// <summary>
/// The parts of the docs that are made from the code. In a file they stand between <c>&lt;!-- generated: NAME --&gt;</c> and
/// <c>&lt;!-- end --&gt;</c>.
/// </summary>
internal static partial class GeneratedSections
{
    /// <summary>The environment variable that lets <see cref="GeneratedSectionTests"/> write the sections instead of comparing.</summary>
    public const string WriteVariable = "TINYMOE_WRITE_DOCS";

    private const int MostColumns = 140;

    /// <summary>What makes each section.</summary>
    public static IReadOnlyDictionary<string, Func<string>> All { get; } = new Dictionary<string, Func<string>>(
    [
        new("configuration keys", ConfigKeys.MarkdownTable),
        new("presets", PresetTable),
        new("routers", RouterTable),
        new("what the routers leave open", RouterRemarks),
        new("balance losses", LossTable),
        new("families", FamilyTable),
        new("help of tinymoe", () => Help()),
        .. Commands().SelectMany(command => Commands(command).Select(sub => $"{command} {sub}").Prepend(command))
            .Select(name => KeyValuePair.Create<string, Func<string>>($"help of tinymoe {name}", () => Help(name.Split(' ')))),
    ]);

    /// <summary>The names of the sections of a text, in their order.</summary>
    public static IEnumerable<string> NamesIn(string text) => Section().Matches(text).Select(match => match.Groups["name"].Value);

    /// <summary>The text with every section as the code makes it now.</summary>
    public static string Renew(string text) => Section().Replace(text, match =>
    {
        string name = match.Groups["name"].Value;
        return All.TryGetValue(name, out Func<string>? make)
            ? $"<!-- generated: {name} -->\n{make().ReplaceLineEndings("\n").Trim('\n')}\n<!-- end -->"
            : match.Value;
    });

    private static StringBuilder Table(params string[] head) => new(string.Join('\n', head) + "\n");

    private static string FamilyTable()
    {
        StringBuilder table = Table("| family | key of config.json | what it is here | |", "|---|---|---|---|");
        foreach (Family family in Family.All)
        {
            string name = $"`{family.Name}`";
            foreach (ConfigRule rule in family.Rules.Where(rule => rule.Names.Count > 0))
            {
                string keys = string.Join(", ", rule.Names.Select(key => $"`{key}`"));
                string direction = rule.Write is null ? "read" : "both";
                table.Append(CultureInfo.InvariantCulture, $"| {name} | {keys} | {rule.Meaning} | {direction} |\n");
                name = "";
            }
        }

        return table.ToString();
    }

    private static string PresetTable()
    {
        StringBuilder table = Table(
            "| preset | what it is | router | experts | width, layers | context | steps |",
            "|---|---|---|---|---|---:|---:|");
        foreach (Preset preset in Presets.All)
        {
            (ModelConfig model, MoeConfig moe) = (preset.Config.Model, preset.Config.Moe);
            string router = moe.Experts == 0 ? "" : $"`{RouterTraits.Of(moe.Router).Name}`";
            string shared = moe.SharedExperts > 0 ? $", {moe.SharedExperts} shared" : "";
            string experts = moe.Experts == 0 ? "none" : $"{moe.ActiveOfRouter} of {moe.Experts}{shared}";
            table.Append(CultureInfo.InvariantCulture,
                $"| `{preset.Name}` | {preset.Summary} | {router} | {experts} ");
            table.Append(CultureInfo.InvariantCulture,
                $"| {model.Width}, {model.Layers} | {model.Context} | {preset.Config.Train.Steps} |\n");
        }

        return table.ToString();
    }

    private static string RouterTable()
    {
        StringBuilder table = Table(
            "| router | what it does | experts per token | looks ahead | capacity | from |",
            "|---|---|---|---|---|---|");
        foreach (RouterTraits router in RouterTraits.All)
        {
            string active = router.Active is { } own ? own == int.MaxValue ? "all" : $"{own}" : "`moe.active`";
            string ahead = router.Causality switch
            {
                Causality.Causal => "never",
                Causality.CausalInInference => "in training",
                _ => "always",
            };
            table.Append(CultureInfo.InvariantCulture,
                $"| `{router.Name}` | {router.Summary} | {active} | {ahead} | {(router.Drops ? "yes" : "")} | {router.Source} |\n");
        }

        return table.ToString();
    }

    private static string RouterRemarks()
    {
        IEnumerable<RouterTraits> open = RouterTraits.All.Where(router => router.Remarks.Length > 0);
        return string.Join('\n', open.Select(router => Wrapped($"- `{router.Name}`: {router.Remarks}")));
    }

    /// <summary>An item of a list on lines of at most 140 columns.</summary>
    private static string Wrapped(string item)
    {
        StringBuilder lines = new();
        int column = 0;
        foreach (string word in item.Split(' '))
        {
            bool begins = column == 0, breaks = column + 1 + word.Length > MostColumns;
            lines.Append(begins ? "" : breaks ? "\n  " : " ").Append(word);
            column = begins ? word.Length : breaks ? 2 + word.Length : column + 1 + word.Length;
        }

        return lines.ToString();
    }

    private static string LossTable()
    {
        StringBuilder table = Table(
            "| loss | key | name in metrics | balanced | what it is | usual weight | from |",
            "|---|---|---|---:|---|---:|---|");
        foreach (LossTraits loss in LossTraits.All)
        {
            table.Append(CultureInfo.InvariantCulture,
                $"| {loss.Title} | `{loss.Key}` | `{loss.Name}` | {loss.Balanced} | {loss.Formula} | {loss.Usual} | {loss.Source} |\n");
        }

        return table.ToString();
    }

    /// <summary>The commands that the help of the program, or of a command, lists.</summary>
    private static IEnumerable<string> Commands(params string[] command)
    {
        string[] help = CommandLine.Run([.. command, "--help"]).Output.ReplaceLineEndings("\n").Split("Commands:\n");
        return help.Length == 1 ? [] : help[1].Split("\n\n")[0].Split('\n').Select(line => line.Trim().Split(' ')[0]);
    }

    private static string Help(params string[] command)
    {
        string help = CommandLine.Run([.. command, "--help"]).Output.ReplaceLineEndings("\n").TrimEnd('\n');
        help = help.Replace($"  {RootCommand.ExecutableName} ", "  tinymoe ", StringComparison.Ordinal); // the tests' program
        return $"```\n{string.Join('\n', help.Split('\n').Select(line => line.TrimEnd()))}\n```";
    }

    [GeneratedRegex(@"<!-- generated: (?<name>[^\n]*?) -->\n.*?<!-- end -->", RegexOptions.Singleline)]
    private static partial Regex Section();
}
