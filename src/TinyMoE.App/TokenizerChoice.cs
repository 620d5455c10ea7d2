using System.Globalization;
using System.Text.Json;
using TinyMoE.Configuration;
using TinyMoE.Files;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>Finds tokenizers by what people write.</summary>
public static class TokenizerChoice
{
    private const string Trained = "bpe";

    /// <summary>Opens a tokenizer: a file, a folder that has one, a run or a checkpoint.</summary>
    /// <exception cref="TinyMoEException">There is none, or it cannot be read.</exception>
    public static Tokenizer Open(string path) => string.IsNullOrWhiteSpace(path)
        ? throw new TinyMoEException("The name of a tokenizer is empty; name a tokenizer.json, a folder that has one, or a run.")
        : TokenizerFiles.Load(FileOf(path));

    /// <summary>Whether a folder of a model has a tokenizer.</summary>
    internal static bool IsIn(string folder) => TokenizerFiles.AreIn(folder);

    /// <summary>The texts and the tokenizer of a configuration with the tokenizer that <paramref name="words"/> mean.</summary>
    internal static DataConfig Apply(DataConfig data, string words)
    {
        data = data with { TokenizerFile = "" };
        foreach (TokenizerKind kind in Enum.GetValues<TokenizerKind>())
        {
            if (NameOf(kind) == words)
                return data with { Tokenizer = kind };
        }

        if (words.StartsWith(Trained + ":", StringComparison.Ordinal) && !Path.Exists(words))
        {
            return int.TryParse(words[(Trained.Length + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int vocabulary)
                ? data with { Tokenizer = TokenizerKind.Bpe, TokenizerVocabulary = vocabulary }
                : throw new TinyMoEException($"'{Excerpt.Of(words)}' names no number of tokens; write it as {Trained}:4096.");
        }

        if (!Path.Exists(words))
        {
            throw new TinyMoEException($"There is no tokenizer '{Excerpt.Of(words)}': write char, byte or {Trained}:4096, or the path of a "
                + "tokenizer.json.");
        }

        string file = Path.GetFullPath(FileOf(words));
        string found = Open(file).Type.Name;
        return data with { Tokenizer = Enum.GetValues<TokenizerKind>().Single(kind => NameOf(kind) == found), TokenizerFile = file };
    }

    /// <summary>A file; or a folder that has files of a tokenizer, that of a checkpoint where it is one of a run.</summary>
    private static string FileOf(string path) => Directory.Exists(path) && !TokenizerFiles.AreIn(path) && RunFiles.IsRun(path)
        ? RunFolder.FindCheckpoint(path) : path;

    private static string NameOf(TokenizerKind kind) => JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString());
}
