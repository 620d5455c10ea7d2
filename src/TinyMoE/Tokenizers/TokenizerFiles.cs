using TinyMoE.Files;
using TinyMoE.Tokenizers.Formats;

namespace TinyMoE.Tokenizers;

/// <summary>
/// Opens tokenizers as others keep them: tokenizer.json of Hugging Face; vocab.json with merges.txt; tokenizer.model of SentencePiece; lines of
/// tiktoken. Those of TinyMoE are read too.
/// </summary>
public static class TokenizerFiles
{
    /// <summary>Name of Hugging Face's file, and of TinyMoE's own.</summary>
    public const string Json = "tokenizer.json";

    private const string Vocabulary = "vocab.json", Merges = "merges.txt", Model = "tokenizer.model";

    /// <summary>The tokenizer of a folder, by what its files and tokenizer_config.json say.</summary>
    /// <exception cref="TinyMoEException">There is none, or it has what TinyMoE does not know.</exception>
    public static Tokenizer Open(string folder)
    {
        string? path = FileIn(folder);
        return path != null ? Read(path) : throw new TinyMoEException(
            $"{folder} has no tokenizer: none of {Json}, {Vocabulary} with {Merges}, and {Model}.");
    }

    /// <summary>The tokenizer of a file, or of a folder.</summary>
    /// <exception cref="TinyMoEException">There is none, or it has what TinyMoE does not know.</exception>
    public static Tokenizer Load(string path) => Directory.Exists(path) ? Open(path) : Read(path);

    /// <summary>Whether a folder has a tokenizer.</summary>
    public static bool AreIn(string folder) => FileIn(folder) is not null;

    /// <summary>
    /// The tokenizer of a file of any of these kinds, which is told by what is in it. Lines of tiktoken do not say how text is cut into words:
    /// <paramref name="pattern"/> is gpt2, cl100k, qwen2 or o200k; null: by the number of lines.
    /// </summary>
    /// <exception cref="TinyMoEException">It is none, or it has what TinyMoE does not know.</exception>
    public static Tokenizer Read(string path, string? pattern = null)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (Path.GetFileName(path) == Merges)
            path = Path.Combine(folder, Vocabulary);
        byte[] contents = SmallFile.Read(path);
        ReadOnlySpan<byte> start = contents.AsSpan().TrimStart(" \t\r\n"u8);
        if (start is [(byte)'{', ..])
        {
            return File.Exists(Path.Combine(folder, Merges)) && VocabularyFiles.IsVocabulary(contents)
                ? VocabularyFiles.Read(contents, path, Path.Combine(folder, Merges), TokenizerConfig.Open(folder))
                : Tokenizer.Read(contents, path, TokenizerType.All);
        }

        return Tiktoken.Is(contents)
            ? Tiktoken.Read(contents, path, pattern, TokenizerConfig.Open(folder))
            : SentencePiece.Read(contents, path, TokenizerConfig.Open(folder));
    }

    private static string? FileIn(string folder) =>
        ((string[])[Json, Vocabulary, Model]).Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
