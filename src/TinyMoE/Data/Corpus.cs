using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using TinyMoE.Configuration;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Data;

/// <summary>
/// The ids that a run trains on and is judged by: the text's first part is for training, its last for validation.
/// A window is T + 1 ids in a row: T inputs, and as targets the T ids one place later.
/// </summary>
public sealed class Corpus
{
    private readonly TokenIds ids;
    private readonly int split;

    /// <summary>The corpus of these ids; of them the last <paramref name="validationShare"/> is for validation.</summary>
    public Corpus(Tokenizer tokenizer, ReadOnlySpan<int> ids, float validationShare)
        : this(tokenizer, TokenIds.Of(ids, tokenizer.Vocabulary), validationShare)
    {
    }

    /// <summary>The corpus of these ids; of them the last <paramref name="validationShare"/> is for validation.</summary>
    public Corpus(Tokenizer tokenizer, TokenIds ids, float validationShare)
    {
        if (validationShare is not (> 0 and < 1))
            throw new TinyMoEException($"data.validation is {validationShare}: give a share above 0 and below 1.");
        this.ids = ids;
        split = (int)(ids.Length * (1 - (decimal)validationShare)); // decimal: 0.1f means 0.1
        Tokenizer = tokenizer;
        Fingerprint = ComputeFingerprint();
    }

    /// <summary>How the text became ids.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The ids to train on.</summary>
    public TokenIds Train => ids.Slice(0, split);

    /// <summary>The ids held out.</summary>
    public TokenIds Validation => ids[split..];

    /// <summary>SHA-256 of the vocabulary, the ids and the split, in hexadecimal: two corpora are the same to a model if their fingerprints are.</summary>
    public string Fingerprint { get; }

    /// <summary>Reads the text that <paramref name="data"/> names; with an <paramref name="existing"/> tokenizer, of a trained model, its ids are used.</summary>
    public static Corpus Load(DataConfig data, Tokenizer? existing = null)
    {
        TokenizerKind kind = existing?.Kind ?? data.Tokenizer;
        using TextBuffer text = new();
        TextSource.Read(data.Sources, kind, text);
        Tokenizer tokenizer = existing ?? Tokenizer.For(kind, text.Bytes);
        return new Corpus(tokenizer, tokenizer.EncodeUtf8(text.Bytes, string.Join(", ", data.Sources)), data.Validation);
    }

    /// <summary>Throws a <see cref="TinyMoEException"/> unless both parts hold at least one window.</summary>
    public void CheckContext(int context)
    {
        CheckWindow(Train.Length, context, "training");
        CheckWindow(Validation.Length, context, "validation");
    }

    /// <summary>
    /// Windows <paramref name="first"/>, first + 1, ... of a step's batch, as many as <paramref name="inputs"/> has room for; window i of a step is the same whatever else is asked for.
    /// </summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="step">The training step.</param>
    /// <param name="first">The first window, from 0.</param>
    /// <param name="context">Ids a window, T.</param>
    /// <param name="inputs">Receives (B, T) ids.</param>
    /// <param name="targets">Receives (B, T) ids, those one place later.</param>
    public void TrainBatch(ulong seed, int step, int first, int context, Span<int> inputs, Span<int> targets)
    {
        if (inputs.Length % context != 0 || targets.Length != inputs.Length)
            throw new ArgumentException($"Inputs and targets have room for whole windows of {context}, not for {inputs.Length} and {targets.Length} ids.");
        CheckWindow(Train.Length, context, "training");
        Philox random = new(new RandomKey(seed, RandomPurpose.Batch, step));
        for (int b = 0; b < inputs.Length / context; b++)
            Copy(Train, random.Below(Train.Length - context, first + b), inputs.Slice(b * context, context), targets.Slice(b * context, context));
    }

    /// <summary>How many windows the validation part holds, laid end to end.</summary>
    public int ValidationWindows(int context) => Math.Max(0, (Validation.Length - 1) / context);

    /// <summary>Window <paramref name="index"/> of the validation part: <paramref name="inputs"/> and <paramref name="targets"/> receive (T) ids each.</summary>
    public void ValidationWindow(int index, Span<int> inputs, Span<int> targets)
    {
        int context = inputs.Length;
        CheckWindow(Validation.Length, context, "validation");
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)ValidationWindows(context), nameof(index));
        Copy(Validation, index * context, inputs, targets);
    }

    /// <summary>The indices of <paramref name="wanted"/> validation windows, evenly spread; of all if 0 or more than there are.</summary>
    public int[] SpreadValidationWindows(int context, int wanted)
    {
        int windows = ValidationWindows(context);
        int count = wanted == 0 ? windows : Math.Min(wanted, windows);
        return [.. Enumerable.Range(0, count).Select(i => (int)((long)i * windows / count))];
    }

    private static void Copy(TokenIds ids, int start, Span<int> inputs, Span<int> targets)
    {
        ids.CopyTo(start, inputs);
        ids.CopyTo(start + 1, targets);
    }

    private static void CheckWindow(int length, int context, string part)
    {
        if (length <= context)
            throw new TinyMoEException($"The {part} part of the text has {length} tokens, and a context of {context} needs at least {context + 1}: use a longer text, a smaller model.context or another data.validation.");
    }

    private string ComputeFingerprint()
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{Tokenizer.Kind} {Tokenizer.Vocabulary} {Train.Length} {Validation.Length}\n"));
        for (int id = 0; id < Tokenizer.Vocabulary; id++)
            hash.AppendData(Tokenizer.Bytes(id));
        int[] block = new int[4096];
        for (int start = 0; start < ids.Length; start += block.Length)
        {
            Span<int> part = block.AsSpan(0, Math.Min(block.Length, ids.Length - start));
            ids.CopyTo(start, part);
            hash.AppendData(MemoryMarshal.AsBytes(part));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
