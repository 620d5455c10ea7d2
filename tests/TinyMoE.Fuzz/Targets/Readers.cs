using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Win32.SafeHandles;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Families;
using TinyMoE.Families.Config;
using TinyMoE.Files;
using TinyMoE.Inspect;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Tokenizers.Chat;
using TinyMoE.Train;

namespace TinyMoE.Fuzz;

/// <summary>The readers of single files. A new one is a line in <see cref="All"/>, a method, and a folder of seeds.</summary>
internal static class Readers
{
    private const int KeptSteps = 2;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>All readers.</summary>
    public static IReadOnlyList<Target> All { get; } =
    [
        new FileTarget("safetensors", "a.safetensors", Safetensors),
        new FileTarget("config", "config.json", Config),
        new FileTarget("family-config", "config.json", FamilyConfig),
        new FileTarget("tokenizer", "tokenizer.json", TokenizerFile),
        new FileTarget("tokenizer-json", "tokenizer.json", TokenizerReaders.Json),
        new FileTarget("sentencepiece", "tokenizer.model", TokenizerReaders.File),
        new FileTarget("tiktoken", "a.tiktoken", TokenizerReaders.File),
        new FileTarget("tokenizer-config", "tokenizer_config.json", TokenizerReaders.Config),
        new FileTarget("labels", "labels.json", Labels),
        new FileTarget("records", "records.jsonl", Records),
        new FileTarget("state", "state.json", State),
        new FileTarget("routing", "routing.safetensors", Routing),
        new FileTarget("metrics", "metrics.jsonl", Metrics),
        new FileTarget("sums", "SHA256SUMS", Sums),
        new FileTarget("index", SafetensorsIndex.FileName, Index),
        new SafetensorsFolderTarget(),
        new FileTarget("chat", "chat_template.jinja", ChatTemplates),
        new CheckpointTarget(),
    ];

    private static string? Safetensors(string path, byte[] input) => NaiveSafetensors.Compare(path, input);

    private static string? Index(string path, byte[] input)
    {
        Dictionary<string, string> files = SafetensorsIndex.Read(path);
        JsonObject said = JsonNode.Parse(Encoding.UTF8.GetString(input), documentOptions: Strict)!.AsObject()["weight_map"]!.AsObject();
        if (!said.Select(tensor => KeyValuePair.Create(tensor.Key, tensor.Value!.GetValue<string>())).SequenceEqual(files))
            return "it has other tensors or files than the index";
        string folder = Path.GetFullPath(Path.GetDirectoryName(path)!);
        return files.Values.All(file => Path.GetDirectoryName(Path.GetFullPath(Path.Combine(folder, file))) == folder)
            ? null : "a file is outside of the folder";
    }

    private static string? Config(string path, byte[] input)
    {
        RunConfig config = ConfigJson.Load(path);
        string written = ConfigJson.Write(config);
        RunConfig again = ConfigJson.Read(written);
        if (ConfigJson.Write(again) != written)
            return "it is another configuration when it is written and read again";
        config.Validate();
        _ = ConfigNotes.Of(config).Count;
        if (config.Model.Vocabulary > 0)
            _ = ModelSize.Of(config);
        return null;
    }

    private static string? FamilyConfig(string path, byte[] input)
    {
        (Family family, RunConfig config, _, _) = FamilyConfigs.Read(Families.Config.FamilyConfig.Load(path));
        _ = GenerationDefaults.Read(Path.GetDirectoryName(path)!, path);
        JsonObject written;
        try
        {
            written = FamilyConfigs.Write(family, config);
        }
        catch (TinyMoEException e)
        {
            return $"what its family said, it cannot say again: {e.Message}";
        }

        JsonObject reread = JsonNode.Parse(written.ToJsonString())!.AsObject();
        (_, RunConfig again, _, _) = FamilyConfigs.Read(Families.Config.FamilyConfig.Of(reread, path));
        return Math.Abs(again.Model.NormEpsilon - config.Model.NormEpsilon) <= 1e-12 && again.Attention.Heads == config.Attention.Heads
            ? null : "it is another model when it is written and read again";
    }

    private static string? TokenizerFile(string path, byte[] input)
    {
        Tokenizer tokenizer = Tokenizer.Load(path);
        using JsonDocument json = JsonDocument.Parse(input, Strict); // throws where the reader should have
        string[] said = json.RootElement.TryGetProperty("symbols", out JsonElement symbols) && tokenizer is CharTokenizer
            ? [.. symbols.EnumerateArray().Select(symbol => symbol.GetString()!)] : [];
        if (tokenizer is CharTokenizer && (said.Length != tokenizer.Vocabulary
            || !said.Index().All(symbol => tokenizer.Bytes(symbol.Index).SequenceEqual(Encoding.UTF8.GetBytes(symbol.Item)))))
            return "it knows other symbols than the file has";
        tokenizer.Save(path);
        Tokenizer again = Tokenizer.Load(path);
        if (again.Vocabulary != tokenizer.Vocabulary || again.Type != tokenizer.Type)
            return "it is another tokenizer when it is written and read again";
        int[] ids = [.. Enumerable.Range(0, Math.Min(tokenizer.Vocabulary, 128))];
        return again.EncodeUtf8([.. ids.SelectMany(id => tokenizer.Bytes(id).ToArray())], "all").ToArray().SequenceEqual(ids)
            ? null : "its ids are others when it is written and read again";
    }

    private static readonly TemplateLimits ShortTemplates = new() { Steps = 100_000, Size = 1 << 20 };

    private static readonly JsonNode Conversation = JsonNode.Parse("""
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Größe 😀?"},
         {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"a": [1, 2.5, true]}}}]},
         {"role": "tool", "content": "7"}, {"role": "user", "content": [{"type": "text", "text": "Thanks"}]}]
        """)!;

    private static string? ChatTemplates(string path, byte[] input)
    {
        ChatTemplate template = ChatTemplate.Parse(Encoding.UTF8.GetString(input), path, ShortTemplates);
        string text = template.Render(Conversation, addGenerationPrompt: true, now: DateTime.UnixEpoch);
        return template.Render(Conversation, addGenerationPrompt: true, now: DateTime.UnixEpoch) == text
            ? null : "it makes another text when it is rendered again";
    }

    private static string? Labels(string path, byte[] input)
    {
        LabelSet labels = LabelSet.Load(path);
        using JsonDocument json = JsonDocument.Parse(input, Strict);
        if (!labels.SequenceEqual(json.RootElement.EnumerateArray().Select(name => name.GetString())))
            return "it holds other labels than the file";
        labels.Save(path);
        return LabelSet.Load(path).SequenceEqual(labels) ? null : "the labels are others when they are written and read again";
    }

    private static string? Records(string path, byte[] input)
    {
        using LabelledText text = new();
        RecordReader.Append(text, input, path, TextCleaning.None);
        StringBuilder said = new();
        HashSet<string> labels = [];
        ReadOnlySpan<byte> rest = input.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? input.AsSpan(3) : input;
        foreach (string line in Encoding.UTF8.GetString(rest).Split('\n').Where(line => line.Trim(' ', '\t', '\r').Length > 0))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            string record = json.RootElement.GetProperty("text").GetString()!;
            said.Append(record);
            if (record.Length > 0 && record[^1] != '\n')
                said.Append('\n');
            labels.Add(LabelOf(json.RootElement));
        }

        if (!text.Text.Bytes.SequenceEqual(Encoding.UTF8.GetBytes(said.ToString())))
            return "it has another text than the records";
        return text.Stretches.All(stretch => labels.Contains(text.Labels[stretch.Label])) ? null : "it has other labels than the records";
    }

    private static string LabelOf(JsonElement record) =>
        !record.TryGetProperty("label", out JsonElement label) || label.ValueKind == JsonValueKind.Null ? RecordReader.NoLabel
        : label.ValueKind == JsonValueKind.String ? label.GetString()!
        : label.GetRawText();

    private static string? State(string path, byte[] input)
    {
        TrainingState state = TrainingState.Read(input, path);
        JsonObject said = JsonNode.Parse(Encoding.UTF8.GetString(input), documentOptions: Strict)!.AsObject();
        if (said["step"]!.GetValue<int>() != state.Step || said["fingerprint"]!.GetValue<string>() != state.Fingerprint)
            return "it is another state than the file's";
        if (state.Step < 0 || state.Fingerprint is null)
            return $"it is a state of step {state.Step} and fingerprint {state.Fingerprint ?? "null"}";
        TrainingState again = TrainingState.Read(Encoding.UTF8.GetBytes(state.Write()), path);
        return again == state with { Format = again.Format } ? null : "it is another state when it is written and read again";
    }

    private static string? Routing(string path, byte[] input)
    {
        RoutingSnapshot snapshot = LoadRouting(path);
        string second = path + ".second";
        File.Delete(second);
        snapshot.Save(second);
        RoutingSnapshot again = File.Exists(second) ? LoadRouting(second) : RoutingSnapshot.None;
        return Enumerable.Range(0, 4).All(layer => again.TopExperts(layer).SequenceEqual(snapshot.TopExperts(layer)))
            ? null : "it is another snapshot when it is written and read again";
    }

    private static RoutingSnapshot LoadRouting(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path);
        return RoutingSnapshot.Load(file, path);
    }

    private static string? Sums(string path, byte[] input)
    {
        Checksums sums = Checksums.Read(input, path);
        IEnumerable<string> said = Encoding.UTF8.GetString(input).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        IEnumerable<string> read = sums.Names.Select(name => $"{sums[name]}  {name}");
        bool isSame = said.Order(StringComparer.Ordinal).SequenceEqual(read.Order(StringComparer.Ordinal));
        return isSame ? null : "it has other lines than the file";
    }

    /// <summary>Reopened metrics are lines of the file, in order, none of a later step.</summary>
    private static string? Metrics(string path, byte[] input)
    {
        TrainingState state = new(KeptSteps, null, 0, "", EvaluatedStep: KeptSteps);
        new RunFolder(Path.GetDirectoryName(path)!).OpenMetrics(state).Dispose();
        string[] lines = Encoding.Latin1.GetString(input).Split('\n');
        string[] kept = Encoding.Latin1.GetString(File.ReadAllBytes(path)).Split('\n');
        if (kept[^1].Length > 0)
            return "its last line is cut off";
        int at = 0;
        foreach (string line in kept[..^1])
        {
            while (at < lines.Length && lines[at].TrimEnd('\r') != line.TrimEnd('\r'))
                at++;
            if (at++ == lines.Length)
                return $"it has a line that the file had not: {line}";
            using JsonDocument json = JsonDocument.Parse(Encoding.Latin1.GetBytes(line));
            if (json.RootElement.GetProperty("step").GetInt32() > KeptSteps)
                return $"it has a line of a later step: {line}";
        }

        return null;
    }
}
