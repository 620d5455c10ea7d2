using System.Text;
using TinyMoE.Tokenizers;

namespace TinyMoE.Fuzz;

/// <summary>
/// The readers of tokenizers of others: what they load encodes and decodes without an error of its own, and is the same again.
/// </summary>
internal static class TokenizerReaders
{
    private const string Sample = "The t\u00E9st, <s>  don't\n\n123 \U0001F600 \u4E2D\u6587 a\u0301\u2581b</s> ab ab";

    /// <summary>A tokenizer.json.</summary>
    public static string? Json(string path, byte[] input)
    {
        Tokenizer tokenizer = Tokenizer.Load(path);
        if (tokenizer is not BpeTokenizer)
            return null; // the target "tokenizer" looks at these
        string second = path + ".second";
        tokenizer.Save(second);
        return Check(tokenizer, Tokenizer.Load(second));
    }

    /// <summary>A file of another form, told by what is in it.</summary>
    public static string? File(string path, byte[] input)
    {
        Tokenizer tokenizer = TokenizerFiles.Read(path, "gpt2");
        string second = path + ".second";
        tokenizer.Save(second);
        return Check(tokenizer, Tokenizer.Load(second));
    }

    /// <summary>A tokenizer_config.json.</summary>
    public static string? Config(string path, byte[] input)
    {
        TokenizerConfig config = TokenizerConfig.Read(input, path);
        return config.LongestText is < 0 ? "the longest text is shorter than none" : null;
    }

    private static string? Check(Tokenizer tokenizer, Tokenizer again)
    {
        int[] ids = tokenizer.EncodeWithSpecial(Sample);
        if (!again.EncodeWithSpecial(Sample).SequenceEqual(ids))
            return "its ids are others when it is written and read again";
        if (ids.Any(id => id < 0 || id >= tokenizer.Vocabulary))
            return "it gives an id beyond its vocabulary";
        int characters = Sample.EnumerateRunes().Count();
        if (tokenizer.EncodeWithPlaces(Sample).Any(token => token.Start < 0 || token.End < token.Start || token.End > characters))
            return "a token is beyond the text";
        int[] all = [.. ids, .. Enumerable.Range(0, Math.Min(300, tokenizer.Vocabulary))];
        foreach (bool skipSpecial in (bool[])[false, true])
        {
            StringBuilder streamed = new();
            TokenDecoder decoder = tokenizer.NewDecoder(skipSpecial);
            foreach (int id in all)
                streamed.Append(decoder.Push(id));
            if (streamed.Append(decoder.Flush()).ToString() != tokenizer.Decode(all, skipSpecial))
                return "what it decodes piece by piece is another text";
        }

        return tokenizer.ByteCount(all) >= 0 ? null : "ids stand for less than no bytes";
    }
}
