using System.Buffers;
using System.Buffers.Text;
using TinyMoE.Files;
using TinyMoE.Tokenizers.Bpe;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Formats;

/// <summary>
/// Reads the lines of tiktoken, <c>base64 rank</c>: a pair of neighbours becomes the token of lowest rank. Special tokens and the pattern
/// that cuts words are not in the file.
/// </summary>
internal static class Tiktoken
{
    private static readonly (string Name, int Lines, string Pattern)[] Known =
    [
        ("gpt2", 50_256, Gpt2Scanner.Pattern),
        ("cl100k", 100_256, Cl100kScanner.PatternOf(@"\p{N}{1,3}")),
        ("cl100k", 128_000, Cl100kScanner.PatternOf(@"\p{N}{1,3}")), // Llama-3
        ("qwen2", 151_643, Cl100kScanner.PatternOf(@"\p{N}")),
        ("o200k", 199_998, O200kScanner.Pattern),
    ];

    /// <summary>Whether a file begins with such a line.</summary>
    public static bool Is(ReadOnlySpan<byte> contents)
    {
        int end = contents.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = end < 0 ? contents : contents[..end];
        return line.Length < 10_000 && TryRead(line, out _, out _);
    }

    /// <summary>The tokenizer of the lines.</summary>
    public static BpeTokenizer Read(ReadOnlySpan<byte> contents, string path, string? pattern, TokenizerConfig config)
    {
        List<byte[]> tokens = [];
        HashSet<string> texts = [];
        int number = 0;
        foreach (Range range in contents.Split((byte)'\n'))
        {
            number++;
            ReadOnlySpan<byte> line = contents[range].TrimEnd((byte)'\r');
            if (line.IsEmpty)
                continue;
            if (!TryRead(line, out byte[] token, out int rank))
                throw new TinyMoEException($"{path}, line {number}, is '{Show(line)}', not a token in base64 and its rank.");
            if (rank != tokens.Count)
                throw new TinyMoEException($"{path}, line {number}, has the rank {rank}; ranks are 0, 1, ... in order, here {tokens.Count}.");
            tokens.Add(token);
            if (!texts.Add(ByteCharacters.TextOf(token)))
                throw new TinyMoEException($"{path}, line {number}, has a token that was there before.");
        }

        string expression = PatternOf(pattern, tokens.Count, path);
        string[] names = [.. tokens.Select(token => ByteCharacters.TextOf(token))];
        List<AddedToken> added = Special.Of(config, names, path, isNormalized: false);
        return new JsonModel
        {
            Tokens = names,
            Merges = Merges(names),
            Options = new BpeOptions(IgnoreMerges: true),
            AddedTokens = added,
            PreTokenizer = JsonModel.Split(expression),
            Decoder = JsonModel.ByteLevel(true),
            Around = Special.Around(config, added, path),
        }.ToTokenizer(path);
    }

    /// <summary>For every token, by rank, all ways to put it together of two, by the ranks of these.</summary>
    internal static List<(string Left, string Right)> Merges(string[] tokens)
    {
        Dictionary<string, int> ranks = new(tokens.Length, StringComparer.Ordinal);
        for (int rank = 0; rank < tokens.Length; rank++)
            ranks[tokens[rank]] = rank;
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> byText = ranks.GetAlternateLookup<ReadOnlySpan<char>>();
        List<(string, string)> merges = [];
        List<(int Left, int Right)> ways = [];
        foreach (string token in tokens)
        {
            ways.Clear();
            for (int cut = 1; cut < token.Length; cut++)
            {
                if (byText.TryGetValue(token.AsSpan(0, cut), out int left) && byText.TryGetValue(token.AsSpan(cut), out int right))
                    ways.Add((left, right));
            }

            ways.Sort();
            merges.AddRange(ways.Select(way => (tokens[way.Left], tokens[way.Right])));
        }

        return merges;
    }

    private static string PatternOf(string? name, int count, string path)
    {
        string names = string.Join(", ", Known.Select(known => known.Name).Distinct());
        if (name != null)
        {
            return Known.FirstOrDefault(known => known.Name == name).Pattern ?? throw new TinyMoEException(
                $"'{Excerpt.Of(name, 40)}' is no pattern for {path}; known are {names}.");
        }

        return Known.FirstOrDefault(known => known.Lines == count).Pattern ?? throw new TinyMoEException(
            $"{path} has {count} tokens, which does not tell by which pattern words are cut: say one of {names}.");
    }

    private static bool TryRead(ReadOnlySpan<byte> line, out byte[] token, out int rank)
    {
        (token, rank) = ([], 0);
        line = line.TrimEnd((byte)'\r');
        int space = line.IndexOf((byte)' ');
        if (space <= 0 || !Utf8Parser.TryParse(line[(space + 1)..], out rank, out int read) || read != line.Length - space - 1 || rank < 0)
            return false;
        byte[] decoded = new byte[Base64.GetMaxDecodedFromUtf8Length(space)];
        if (Base64.DecodeFromUtf8(line[..space], decoded, out int consumed, out int written) != OperationStatus.Done || consumed != space
            || written == 0)
            return false;
        token = decoded[..written];
        return true;
    }

    private static string Show(ReadOnlySpan<byte> line) =>
        Excerpt.Of(System.Text.Encoding.Latin1.GetString(line[..Math.Min(line.Length, 200)]), 40);
}
