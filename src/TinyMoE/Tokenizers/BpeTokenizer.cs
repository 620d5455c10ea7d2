using System.Text;
using System.Text.Json;
using TinyMoE.Tokenizers.Bpe;
using TinyMoE.Tokenizers.Decoders;

namespace TinyMoE.Tokenizers;

/// <summary>
/// Cuts a text as a tokenizer.json of Hugging Face with a model of kind BPE says: added tokens, normalizer, pre-tokenizer, merges, and
/// back by
/// its decoder. Ids and texts are those of Hugging Face's own library.
/// </summary>
public sealed class BpeTokenizer : Tokenizer
{
    private readonly ReadOnlyMemory<byte> file;
    private readonly Pipeline pipeline;
    private readonly TextEncoder encoder;
    private TextEncoder? plainEncoder; // without special tokens
    private readonly string?[] texts;  // by id
    private readonly byte[][] bytes;   // by id
    private readonly bool[] specials;  // by id
    private readonly Dictionary<string, int> added;

    internal BpeTokenizer(Pipeline pipeline, ReadOnlyMemory<byte> file)
    {
        (this.pipeline, this.file) = (pipeline, file);
        int count = Math.Max(pipeline.Model.Vocabulary.Count, pipeline.AddedTokens.Select(token => token.Id + 1).DefaultIfEmpty().Max());
        texts = new string[count];
        for (int id = 0; id < count; id++)
            texts[id] = pipeline.Model.Vocabulary[id];
        foreach (AddedToken token in pipeline.AddedTokens)
            texts[token.Id] = token.Text;
        HashSet<string> special = [.. pipeline.AddedTokens.Where(token => token.IsSpecial).Select(token => token.Text)];
        specials = [.. texts.Select(text => text != null && special.Contains(text))];
        added = pipeline.AddedTokens.ToDictionary(token => token.Text, token => token.Id);
        encoder = new TextEncoder(pipeline);
        HashSet<int> addedIds = [.. added.Values];
        bytes = [.. Enumerable.Range(0, count).Select(id => texts[id] is not { } text || specials[id] ? []
            : addedIds.Contains(id) ? Encoding.UTF8.GetBytes(text) : TokenBytes.Of(text, pipeline))];
    }

    /// <summary>The kind of this tokenizer: its name, and that it is trained or read, not learnt from the text of a run.</summary>
    public static TokenizerType Description { get; } = new(
        "bpe",
        "a tokenizer.json of Hugging Face with a model of type BPE",
        TextCleaning.Characters,
        _ => throw new TinyMoEException(
            "A tokenizer of kind bpe is not learnt from the text of a run: train one first, or take another's."),
        _ => throw new FormatException());

    /// <inheritdoc/>
    public override TokenizerType Type => Description;

    /// <inheritdoc/>
    public override int Vocabulary => texts.Length;

    /// <inheritdoc/>
    public override int[] Start => Encode("\n") is { Length: > 0 } line ? line : base.Start;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Notes => pipeline.Notes;

    /// <summary>The tokenizer of a tokenizer.json; <paramref name="path"/> names it in errors.</summary>
    /// <exception cref="TinyMoEException">It is none, or has what TinyMoE does not know.</exception>
    public static BpeTokenizer Read(ReadOnlyMemory<byte> contents, string path) =>
        new(TokenizerJson.Read(contents, path), contents.ToArray());

    /// <summary>The tokenizer of a tokenizer.json, given what is in it.</summary>
    internal static BpeTokenizer Read(JsonElement root, ReadOnlyMemory<byte> contents, string path) =>
        new(TokenizerJson.Read(new JsonPart(root, path, "")), contents.ToArray());

    /// <inheritdoc/>
    public override bool IsSpecial(int id) => specials[id];

    /// <inheritdoc/>
    public override string TokenText(int id) => texts[id] ?? "";

    /// <inheritdoc/>
    public override int? FindToken(string text) =>
        added.TryGetValue(text, out int id) ? id : pipeline.Model.Vocabulary.Find(text) is >= 0 and int found ? found : null;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Bytes(int id) => bytes[id];

    /// <inheritdoc/>
    public override void Encode<TSink>(ReadOnlySpan<byte> utf8, string where, ref TSink sink) => encoder.Encode(utf8, ref sink);

    /// <inheritdoc/>
    public override int[] EncodePlain(string text)
    {
        plainEncoder ??= new TextEncoder(pipeline with { AddedTokens = [.. pipeline.AddedTokens.Where(token => !token.IsSpecial)] });
        return [.. plainEncoder.EncodeWithPlaces(Encoding.UTF8.GetBytes(text)).Select(token => token.Id)];
    }

    /// <inheritdoc/>
    public override int[] EncodeWithSpecial(string text)
    {
        int[] own = Encode(text);
        return [.. pipeline.Template.SelectMany(id => id == Pipeline.OwnTokens ? own : [id])];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<PlacedToken> EncodeWithPlaces(string text, bool withSpecial = false)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        PlacedToken[] own = [.. PlacedToken.InCodePoints(encoder.EncodeWithPlaces(utf8), utf8)];
        foreach (bool addsPrefixSpace in pipeline.Trims)
        {
            for (int i = 0; i < own.Length; i++)
                own[i] = Trim(own[i], i == 0, addsPrefixSpace);
        }

        return withSpecial
            ? [.. pipeline.Template.SelectMany(id => id == Pipeline.OwnTokens ? own : [new PlacedToken(id, 0, 0)])]
            : own;
    }

    /// <inheritdoc/>
    public override TokenDecoder NewDecoder(bool skipSpecial = true) => new StepDecoder(this, pipeline.Decoder, skipSpecial);

    /// <summary>The file that was read, as it was.</summary>
    public override byte[] ToHuggingFace() => file.ToArray();

    /// <inheritdoc/>
    internal override void Write(Stream stream) => stream.Write(file.Span);

    // Leaves out the white space at both ends of a token, but not one space that was put before the text.
    private PlacedToken Trim(PlacedToken token, bool isFirst, bool addsPrefixSpace)
    {
        Rune[] runes = [.. TokenText(token.Id).EnumerateRunes()];
        int leading = runes.TakeWhile(IsBlank).Count(), trailing = runes.Reverse().TakeWhile(IsBlank).Count();
        if ((isFirst || token.Start == 0) && addsPrefixSpace && leading == 1)
            leading = 0;
        if (leading > 0)
            token = token with { Start = Math.Min(token.Start + leading, token.End) };
        return trailing > 0 && token.End >= trailing ? token with { End = Math.Max(token.End - trailing, token.Start) } : token;
    }

    private static bool IsBlank(Rune rune) => rune.Value == ByteCharacters.Of((byte)' ') || Regexes.Unicode.IsSpace(rune.Value);

    /// <summary>Ids through the steps of the decoder.</summary>
    private sealed class StepDecoder : TokenDecoder
    {
        private readonly BpeTokenizer tokenizer;
        private readonly bool skipsSpecial;
        private readonly TextStep text = new();
        private readonly TokenStep first;

        public StepDecoder(BpeTokenizer tokenizer, IReadOnlyList<TokenStepKind>? kinds, bool skipsSpecial)
        {
            (this.tokenizer, this.skipsSpecial) = (tokenizer, skipsSpecial);
            first = kinds == null ? new SpacedStep { Next = text } : text;
            foreach (TokenStepKind kind in (kinds ?? []).Reverse())
                first = kind(first);
        }

        public override string Push(int id)
        {
            if (tokenizer.texts[id] is { } token && !(skipsSpecial && tokenizer.specials[id]))
                first.Push(token, begins: true, ends: true);
            return text.Take();
        }

        public override string Flush()
        {
            first.Finish();
            return text.Take();
        }
    }
}
