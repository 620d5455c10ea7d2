using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TinyMoE.Tokenizers.Training;

/// <summary>Writes a trained vocabulary as the <c>tokenizer.json</c> that huggingface/tokenizers reads.</summary>
internal static class BpeFile
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The file of a recipe with a vocabulary.</summary>
    public static byte[] Of(BpeRecipe recipe, BpeVocabulary vocabulary)
    {
        using MemoryStream file = new();
        using (Utf8JsonWriter json = new(file, Indented))
            Write(json, recipe, vocabulary);
        return file.ToArray();
    }

    private static void Write(Utf8JsonWriter json, BpeRecipe recipe, BpeVocabulary vocabulary)
    {
        BpePipeline pipeline = recipe.Pipeline;
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        foreach ((int id, string name) in recipe.AllSpecial.Index())
            WriteSpecial(json, id, name);
        json.WriteEndArray();
        WritePart(json, "normalizer", pipeline.Normalizer);
        WritePart(json, "pre_tokenizer", pipeline.PreTokenizer);
        WritePart(json, "post_processor", pipeline.PostProcessor);
        WritePart(json, "decoder", pipeline.Decoder);
        WriteModel(json, pipeline, vocabulary);
        json.WriteEndObject();
    }

    private static void WriteSpecial(Utf8JsonWriter json, int id, string name)
    {
        json.WriteStartObject();
        json.WriteNumber("id", id);
        json.WriteString("content", name);
        json.WriteBoolean("single_word", false);
        json.WriteBoolean("lstrip", false);
        json.WriteBoolean("rstrip", false);
        json.WriteBoolean("normalized", false);
        json.WriteBoolean("special", true);
        json.WriteEndObject();
    }

    private static void WritePart(Utf8JsonWriter json, string name, string part)
    {
        json.WritePropertyName(name);
        JsonNode? node = JsonNode.Parse(part);
        if (node is null)
            json.WriteNullValue();
        else
            node.WriteTo(json);
    }

    private static void WriteModel(Utf8JsonWriter json, BpePipeline pipeline, BpeVocabulary vocabulary)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteString("unk_token", pipeline.Unknown);
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", !pipeline.IsOfBytes);
        json.WriteBoolean("byte_fallback", !pipeline.IsOfBytes);
        json.WriteBoolean("ignore_merges", pipeline.IgnoresMerges);
        json.WriteStartObject("vocab");
        foreach ((int id, string token) in vocabulary.Tokens.Index())
            json.WriteNumber(token, id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach ((int left, int right) in vocabulary.Merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(vocabulary.Tokens[left]);
            json.WriteStringValue(vocabulary.Tokens[right]);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
