using System.CommandLine;
using System.CommandLine.Parsing;
using TinyMoE.App;
using TinyMoE.Configuration;
using TinyMoE.Files;

namespace TinyMoE.Cli;

/// <summary>The options --preset, --config and --set, which say which configuration is meant.</summary>
internal sealed class ConfigOptions
{
    private readonly Option<string?> preset = Options.Text("--preset", "NAME",
        $"A configuration to begin with; {Presets.Default} if not said.\n"
        + string.Join('\n', Presets.All.Select(preset => $"{preset.Name}: {preset.Summary}")));

    private readonly Option<string?> config = Options.Text("--config", "FILE",
        "A configuration from a JSON file; keys it lacks are those of " + Presets.Default + ".");

    private readonly Option<string[]> set = Options.Texts("--set", "KEY=VALUE",
        "Change keys of the configuration, as in --set model.width=256 moe.experts=16; 'tinymoe info --json' shows all keys.");

    public void AddTo(Command command)
    {
        command.Add(preset);
        command.Add(config);
        command.Add(set);
        command.Validators.Add(result =>
        {
            if (result.GetResult(preset) is not null && result.GetResult(config) is not null)
                result.AddError("--preset and --config exclude each other; name one");
            CheckChanges(result, set, "model.width=256");
        });
    }

    /// <summary>Whether the command line names a preset or a file.</summary>
    public bool Named(CommandResult result) => result.GetResult(preset) is not null || result.GetResult(config) is not null;

    /// <summary>The configuration that the command line means.</summary>
    public ConfigChoice Read(ParseResult parsed) => new()
    {
        Preset = parsed.GetValue(preset),
        File = parsed.GetValue(config),
        Changes = ReadChanges(parsed, set),
    };

    /// <summary>Makes sure that all values of a --set are keys with values, as <paramref name="example"/> is.</summary>
    internal static void CheckChanges(CommandResult result, Option<string[]> set, string example)
    {
        foreach (string change in result.GetValue(set) ?? [])
        {
            if (change.IndexOf('=', StringComparison.Ordinal) < 1)
                result.AddError($"--set needs key=value, as in {example}, not '{Excerpt.Of(change)}'");
        }
    }

    /// <summary>The keys and values of a --set, in order.</summary>
    internal static IReadOnlyList<KeyValuePair<string, string>> ReadChanges(ParseResult parsed, Option<string[]> set) =>
        [.. (parsed.GetValue(set) ?? []).Select(Change)];

    private static KeyValuePair<string, string> Change(string text)
    {
        string[] parts = text.Split('=', 2);
        return KeyValuePair.Create(parts[0], parts[1]);
    }
}
