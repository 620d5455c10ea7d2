using System.CommandLine;
using System.CommandLine.Parsing;
using TinyMoE.Configuration;

namespace TinyMoE.Cli;

/// <summary>--preset, --config and --set: which configuration.</summary>
internal sealed class ConfigOptions
{
    private readonly Option<string?> preset = Options.Text("--preset", "NAME",
        $"A configuration to begin with; {Presets.Default} if not said.\n{string.Join('\n', Presets.All.Select(preset => $"{preset.Name}: {preset.Summary}"))}");
    private readonly Option<string?> config = Options.Text("--config", "FILE", "A configuration from a JSON file; keys it lacks are those of " + Presets.Default + ".");
    private readonly Option<string[]> set = Options.Texts("--set", "KEY=VALUE", "Change keys of the configuration, as in --set model.width=256 moe.experts=16; 'tinymoe info --json' shows all keys.");

    public void AddTo(Command command)
    {
        command.Add(preset);
        command.Add(config);
        command.Add(set);
        command.Validators.Add(result =>
        {
            if (result.GetResult(preset) is not null && result.GetResult(config) is not null)
                result.AddError("--preset and --config exclude each other; name one");
            foreach (string change in result.GetValue(set) ?? [])
            {
                if (change.IndexOf('=', StringComparison.Ordinal) < 1)
                    result.AddError($"--set needs key=value, as in model.width=256, not '{change}'");
            }
        });
    }

    /// <summary>Whether the command line names a preset or a file.</summary>
    public bool Named(CommandResult result) => result.GetResult(preset) is not null || result.GetResult(config) is not null;

    /// <summary>What to call a run of this configuration: the preset's name, or the file's.</summary>
    public string Name(ParseResult parsed) =>
        parsed.GetValue(config) is { } file ? Path.GetFileNameWithoutExtension(file) : parsed.GetValue(preset) ?? Presets.Default;

    /// <summary>The configuration, with the changes of --set; where none is named, <paramref name="otherwise"/> or the default preset.</summary>
    public RunConfig Read(ParseResult parsed, RunConfig? otherwise = null)
    {
        RunConfig start = parsed.GetValue(config) is { } file ? ConfigJson.Load(file)
            : parsed.GetValue(preset) is { } name ? Presets.Get(name)
            : otherwise ?? Presets.Get(Presets.Default);
        return (parsed.GetValue(set) ?? [])
            .Select(change => change.Split('=', 2))
            .Aggregate(start, (changed, change) => changed.With(change[0], change[1]));
    }
}
