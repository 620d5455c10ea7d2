using System.Text.Json;
using System.Text.Json.Nodes;
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
        byte[] file = tokenizer.ToHuggingFace();
        AtomicFile.Write(Path.Combine(folder, TokenizerFiles.Json), stream => stream.Write(file));
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
}
