using System.Text.Json.Nodes;
using TinyMoE.Families.Config;
using TinyMoE.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Families;

/// <summary>How a model's makers generate with it, as <c>generation_config.json</c> says; what is null there was not said.</summary>
public sealed record GenerationDefaults
{
    /// <summary>The ids that end a text.</summary>
    public IReadOnlyList<int> StopIds { get; init; } = [];

    /// <summary>The id that begins a text.</summary>
    public int? BeginId { get; init; }

    /// <summary>The id that fills up batches.</summary>
    public int? PadId { get; init; }

    /// <summary>Whether tokens are drawn; otherwise always the likeliest is taken.</summary>
    public bool? Draws { get; init; }

    /// <summary>Divides the logits.</summary>
    public float? Temperature { get; init; }

    /// <summary>Number of likeliest tokens that are chosen from.</summary>
    public int? TopK { get; init; }

    /// <summary>Share of probability that is chosen from.</summary>
    public float? TopP { get; init; }

    /// <summary>Least probability, as a share of the likeliest token's.</summary>
    public float? MinP { get; init; }

    /// <summary>What logits of tokens that have occurred are divided by where positive, and multiplied by where negative.</summary>
    public float? RepetitionPenalty { get; init; }

    /// <summary>Texts that end a text.</summary>
    public IReadOnlyList<string> StopTexts { get; init; } = [];

    /// <summary>
    /// Reads them from a model's folder; what generation_config.json leaves out of the special ids is taken from config.json.
    /// </summary>
    internal static GenerationDefaults Read(string folder, string configPath)
    {
        string path = Path.Combine(folder, RunFiles.Generation);
        return Of(File.Exists(path) ? FamilyConfig.Load(path) : FamilyConfig.Of([], path), FamilyConfig.Load(configPath));
    }

    /// <summary>Those that a run keeps; nothing is said where it keeps none.</summary>
    internal static GenerationDefaults Of(IReadOnlyDictionary<string, byte[]> companions, string folder)
    {
        string path = Path.Combine(folder, RunFiles.Generation);
        return !companions.TryGetValue(RunFiles.Generation, out byte[]? text) ? new GenerationDefaults()
            : Of(FamilyConfig.Of(FamilyConfig.ReadObject(text, path), path), FamilyConfig.Of([], path));
    }

    /// <summary>The files of a model's folder that say how it is used, by the names that a run keeps them under.</summary>
    internal static Dictionary<string, byte[]> Companions(string folder)
    {
        Dictionary<string, byte[]> files = [];
        if (TokenizerConfig.Open(folder).ChatTemplate is { } template)
            files.Add(RunFiles.ChatTemplate, System.Text.Encoding.UTF8.GetBytes(template));
        GenerationDefaults said = Read(folder, Path.Combine(folder, "config.json"));
        files.Add(RunFiles.Generation, System.Text.Encoding.UTF8.GetBytes(HubExport.Generation(said).ToJsonString() + "\n"));
        return files;
    }

    private static GenerationDefaults Of(FamilyConfig file, FamilyConfig config)
    {
        IReadOnlyList<int> stops = file.Wholes("eos_token_id");
        IReadOnlyList<string> texts = file.Node("stop_strings") is JsonValue ? [file.Text("stop_strings")] : file.Texts("stop_strings");
        if (texts.Contains(""))
            throw file.Bad("stop_strings", "texts that are not empty");
        return new GenerationDefaults
        {
            StopIds = [.. (stops.Count > 0 ? stops : config.Wholes("eos_token_id")).Distinct()],
            BeginId = Id(file, "bos_token_id") ?? Id(config, "bos_token_id"),
            PadId = Id(file, "pad_token_id") ?? Id(config, "pad_token_id"),
            Draws = file.Has("do_sample") ? file.Flag("do_sample") : null,
            Temperature = Number("temperature", 0, 1e6),
            TopK = file.Has("top_k") ? file.Whole("top_k") : null,
            TopP = Number("top_p", 0, 1),
            MinP = Number("min_p", 0, 1),
            RepetitionPenalty = Number("repetition_penalty", 1e-6, 1e6),
            StopTexts = texts,
        };

        static int? Id(FamilyConfig file, string name) => file.Wholes(name) is [int id, ..] ? id : null;

        float? Number(string name, double least, double most)
        {
            if (!file.Has(name))
                return null;
            double value = file.Number(name);
            return value >= least && value <= most ? (float)value : throw file.Bad(name, $"a number from {least} to {most}");
        }
    }
}
