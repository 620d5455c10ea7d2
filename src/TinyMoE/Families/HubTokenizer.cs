using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Families.Config;
using TinyMoE.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Families;

/// <summary>Writes a tokenizer as Hugging Face's hubs have it: <c>tokenizer.json</c> and <c>tokenizer_config.json</c>.</summary>
internal static class HubTokenizer
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes both into a folder; <paramref name="context"/>: most tokens of the model.</summary>
    public static void Write(string folder, Tokenizer tokenizer, int context, GenerationDefaults generation, string? chatTemplate)
    {
        tokenizer.Save(Path.Combine(folder, "tokenizer.json"));
        JsonObject config = new()
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["model_max_length"] = context,
            ["clean_up_tokenization_spaces"] = false,
        };
        Put("bos_token", generation.BeginId);
        Put("eos_token", generation.StopIds.Count > 0 ? generation.StopIds[0] : null);
        Put("pad_token", generation.PadId);
        if (chatTemplate is not null)
            config["chat_template"] = chatTemplate;
        AtomicFile.WriteText(Path.Combine(folder, "tokenizer_config.json"), config.ToJsonString(Indented) + "\n");

        void Put(string name, int? id)
        {
            if (id is { } known && known < tokenizer.Vocabulary)
                config[name] = tokenizer.TokenText(known);
        }
    }

    /// <summary>
    /// The chat template of a folder: chat_template.jinja, else that of tokenizer_config.json, of several the one named default; null:
    /// there is none.
    /// </summary>
    public static string? ChatTemplateOf(string folder)
    {
        string file = Path.Combine(folder, RunFiles.ChatTemplate), config = Path.Combine(folder, "tokenizer_config.json");
        if (File.Exists(file))
            return System.Text.Encoding.UTF8.GetString(SmallFile.Read(file));
        if (!File.Exists(config))
            return null;
        return FamilyConfig.ReadObject(config)["chat_template"] switch
        {
            JsonValue one when one.TryGetValue(out string? text) => text,
            JsonArray several => several.OfType<JsonObject>().OrderByDescending(entry => entry["name"]?.ToString() == "default")
                .Select(entry => entry["template"]?.ToString()).FirstOrDefault(),
            _ => null,
        };
    }
}
