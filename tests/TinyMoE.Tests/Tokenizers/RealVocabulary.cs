using System.IO.Compression;
using System.Reflection;
using System.Text;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Tokenizers;

/// <summary>The vocabularies of GPT-2, cl100k and o200k, which lie in packages of Microsoft's tokenizers.</summary>
internal static class RealVocabulary
{
    /// <summary>The vocabularies by the name of their pattern.</summary>
    public static IReadOnlyList<string> Names { get; } = ["gpt2", "cl100k", "o200k"];

    /// <summary>Writes the lines of a vocabulary as tiktoken does; gives the tokenizer of them.</summary>
    public static Tokenizer Open(string name, string folder)
    {
        (string package, string resource) = name switch
        {
            "gpt2" => ("Gpt2", "gpt2"),
            "cl100k" => ("Cl100kBase", "cl100k_base"),
            _ => ("O200kBase", "o200k_base"),
        };
        Assembly data = Assembly.Load("Microsoft.ML.Tokenizers.Data." + package);
        using DeflateStream packed = new(data.GetManifestResourceStream(resource + ".tiktoken.deflate")!, CompressionMode.Decompress);
        using StreamReader lines = new(packed);
        StringBuilder written = new();
        _ = lines.ReadLine(); // the capacity
        for (int rank = 0; lines.ReadLine() is { Length: > 0 } token; rank++)
            written.Append(token).Append(' ').Append(rank).Append('\n');
        string path = Path.Combine(folder, name + ".tiktoken");
        File.WriteAllText(path, written.ToString());
        return TokenizerFiles.Read(path);
    }
}
