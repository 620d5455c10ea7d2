using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using TinyMoE.Configuration;
using TinyMoE.RandomNumbers;
using TinyMoE.Tokenizers;

namespace TinyMoE.Data;

/// <summary>
/// The ids that a run trains on and is judged by, each with the label of the text that it comes from. What is held out for validation is
/// the last share of every source, or of every label's text: see <see cref="HeldOut"/>. A window is T + 1 ids in a row: T inputs, and as
/// targets the T ids one place later; it may cross from one text into the next.
/// </summary>
public sealed partial class Corpus
{
    private const int BlockSize = 4096;

    private static readonly LabelSet OneLabel = new(["text"]);

    private readonly TokenIds ids;
    private readonly LabelRuns labels;
    private readonly List<Stretch> order; // what the ids come from, one stretch behind the other
    private readonly int split;
    private readonly bool hasParts; // of each of which the end is held out
    private readonly bool isWhole;  // all of it is held out
    private string? fingerprint;

    /// <summary>The corpus of these ids; of them the last <paramref name="validationShare"/> is for validation.</summary>
    public Corpus(Tokenizer tokenizer, ReadOnlySpan<int> ids, float validationShare)
        : this(tokenizer, TokenIds.Of(ids, tokenizer.Vocabulary), validationShare)
    {
    }

    /// <summary>The corpus of these ids, with one label; of them the last <paramref name="validationShare"/> is for validation.</summary>
    public Corpus(Tokenizer tokenizer, TokenIds ids, float validationShare)
        : this(tokenizer, ids, validationShare, OneLabel, [new Stretch(0, ids.Length, 0, 0)])
    {
    }

    /// <summary>
    /// The corpus of these ids with the labels of their stretches; of every part the last <paramref name="validationShare"/> is for
    /// validation.
    /// </summary>
    internal Corpus(Tokenizer tokenizer, TokenIds ids, float validationShare, LabelSet names, IReadOnlyList<Stretch> stretches)
        : this(tokenizer, ids, names, Split(stretches, validationShare))
    {
    }

    /// <summary>The corpus of these ids, of which some stretches are to train on and the others are held out.</summary>
    internal Corpus(Tokenizer tokenizer, TokenIds ids, LabelSet names, (List<Stretch> Train, List<Stretch> HeldOut) chosen)
    {
        order = [.. chosen.Train, .. chosen.HeldOut];
        split = chosen.Train.Sum(stretch => stretch.Length);
        hasParts = order.Any(stretch => stretch.Part != order[0].Part);
        this.ids = hasParts ? ids.Select([.. order.Select(stretch => (stretch.Start, stretch.Length))]) : ids;
        labels = new LabelRuns(order);
        Labels = names;
        Tokenizer = tokenizer;
    }

    /// <summary>The text of <paramref name="split"/> in its own order, all of it held out.</summary>
    private Corpus(Corpus split)
    {
        List<(Stretch Stretch, int Place)> stretches = []; // with the place that each has in the ids
        int place = 0;
        foreach (Stretch stretch in split.order)
        {
            stretches.Add((stretch, place));
            place += stretch.Length;
        }

        stretches.Sort((a, b) => (a.Stretch.Start, a.Stretch.Length).CompareTo((b.Stretch.Start, b.Stretch.Length))); // an empty one first
        order = [.. stretches.Select(moved => moved.Stretch)];
        hasParts = split.hasParts;
        ids = hasParts ? split.ids.Select([.. stretches.Select(moved => (moved.Place, moved.Stretch.Length))]) : split.ids;
        labels = new LabelRuns(order);
        Labels = split.Labels;
        Tokenizer = split.Tokenizer;
        Notes = split.Notes;
        isWhole = true;
    }

    /// <summary>The tokenizer that made ids of the text.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The ids to train on.</summary>
    public TokenIds Train => ids.Slice(0, split);

    /// <summary>The ids held out for validation.</summary>
    public TokenIds Validation => ids[split..];

    /// <summary>The names of the labels. A label that the text does not have may be among them: one that a model knows.</summary>
    public LabelSet Labels { get; }

    /// <summary>What a person should know of how the text was read, one line each: files that were left out, or mended.</summary>
    public IReadOnlyList<string> Notes { get; internal init; } = [];

    /// <summary>
    /// SHA-256 of the vocabulary, the ids and the split, and of a text with several parts the labels' numbers, in hexadecimal: two corpora
    /// are the same to a model if their fingerprints are.
    /// </summary>
    public string Fingerprint => fingerprint ??= ComputeFingerprint();

    /// <summary>
    /// Reads the text that <paramref name="data"/> names; with an <paramref name="existing"/> tokenizer, of a trained model, its ids are
    /// used. Labels that the model knows by name (<paramref name="known"/>) keep their numbers, others are numbered behind them.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static Corpus Load(DataConfig data, Tokenizer? existing = null, LabelSet? known = null, CancellationToken stop = default)
    {
        Configuration.Validation.CheckData(data);
        return CorpusLoader.Load(data, existing, known, stop);
    }

    /// <summary>The same text with nothing to train on: all of it is held out, in its own order.</summary>
    public Corpus AllHeldOut() => new(this);

    /// <summary>How often each id occurs in the part to train on: (V) counts.</summary>
    public int[] TrainFrequencies()
    {
        int[] counts = new int[Tokenizer.Vocabulary], block = new int[BlockSize];
        for (int start = 0; start < split; start += BlockSize)
        {
            Span<int> part = block.AsSpan(0, Math.Min(BlockSize, split - start));
            ids.CopyTo(start, part);
            foreach (int id in part)
                counts[id]++;
        }

        return counts;
    }

    /// <summary>
    /// Throws a <see cref="TinyMoEException"/> unless both parts hold at least one window, or all of it where all is held out.
    /// </summary>
    public void CheckContext(int context)
    {
        if (!isWhole)
            CheckWindow(Train.Length, context, "training");
        CheckWindow(Validation.Length, context, "validation");
    }

    /// <summary>
    /// Windows <paramref name="first"/>, first + 1, ... of a step's batch, as many as <paramref name="inputs"/> has room for; window i of a
    /// step is the same whatever else is asked for.
    /// </summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="step">The training step.</param>
    /// <param name="first">The first window, from 0.</param>
    /// <param name="context">Ids per window, T.</param>
    /// <param name="inputs">Receives (B, T) ids.</param>
    /// <param name="targets">Receives (B, T) ids, those one place later.</param>
    /// <param name="labels">Receives the (B, T) labels of the inputs; none if empty.</param>
    public void TrainBatch(ulong seed, int step, int first, int context, Span<int> inputs, Span<int> targets, Span<int> labels = default)
    {
        if (inputs.Length % context != 0 || targets.Length != inputs.Length)
        {
            throw new ArgumentException(
                $"Inputs and targets have room for whole windows of {context}, not for {inputs.Length} and {targets.Length} ids.");
        }

        CheckLabels(inputs, labels);
        CheckWindow(Train.Length, context, "training");
        Philox random = new(new RandomKey(seed, RandomPurpose.Batch, step));
        for (int start = 0; start < inputs.Length; start += context)
        {
            int place = random.Below(split - context, first + start / context);
            Copy(place, inputs.Slice(start, context), targets.Slice(start, context), labels.IsEmpty ? [] : labels.Slice(start, context));
        }
    }

    /// <summary>How many windows the validation part holds, laid end to end.</summary>
    public int ValidationWindows(int context) => Math.Max(0, (Validation.Length - 1) / context);

    /// <summary>
    /// Window <paramref name="index"/> of the validation part: <paramref name="inputs"/> and <paramref name="targets"/> receive (T) ids
    /// each, <paramref name="labels"/> the (T) labels of the inputs, or none if empty.
    /// </summary>
    public void ValidationWindow(int index, Span<int> inputs, Span<int> targets, Span<int> labels = default)
    {
        int context = inputs.Length;
        CheckLabels(inputs, labels);
        CheckWindow(Validation.Length, context, "validation");
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)ValidationWindows(context), nameof(index));
        Copy(split + (index * context), inputs, targets, labels);
    }

    /// <summary>The indices of <paramref name="wanted"/> validation windows, evenly spread; of all if 0 or more than there are.</summary>
    public int[] SpreadValidationWindows(int context, int wanted)
    {
        int windows = ValidationWindows(context);
        int count = wanted == 0 ? windows : Math.Min(wanted, windows);
        return [.. Enumerable.Range(0, count).Select(i => (int)((long)i * windows / count))];
    }

    private static (List<Stretch> Train, List<Stretch> HeldOut) Split(IReadOnlyList<Stretch> stretches, float share) =>
        share is > 0 and < 1
            ? HeldOut.Choose(stretches, share)
            : throw new TinyMoEException($"data.validation is {share}: give a share above 0 and below 1.");

    private void Copy(int start, Span<int> inputs, Span<int> targets, Span<int> inputLabels)
    {
        ids.CopyTo(start, inputs);
        ids.CopyTo(start + 1, targets);
        labels.CopyTo(start, inputLabels);
    }

    private static void CheckLabels(Span<int> inputs, Span<int> labels)
    {
        if (!labels.IsEmpty && labels.Length != inputs.Length)
            throw new ArgumentException($"{inputs.Length} inputs have as many labels, not {labels.Length}.");
    }

    private void CheckWindow(int length, int context, string part)
    {
        if (length > context)
            return;
        throw new TinyMoEException(isWhole
            ? $"The text has {length} tokens, and a context of {context} needs at least {context + 1}: use a longer text."
            : $"The {part} part of the text has {length} tokens, and a context of {context} needs at least {context + 1}: use a longer "
                + "text, a smaller model.context or another data.validation.");
    }

    private string ComputeFingerprint()
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        string kind = char.ToUpperInvariant(Tokenizer.Type.Name[0]) + Tokenizer.Type.Name[1..]; // as checkpoints have it from of old
        hash.AppendData(Encoding.UTF8.GetBytes($"{kind} {Tokenizer.Vocabulary} {Train.Length} {Validation.Length}\n"));
        Tokenizer.AppendVocabulary(hash);
        int[] block = new int[BlockSize];
        for (int start = 0; start < ids.Length; start += block.Length)
        {
            Span<int> part = block.AsSpan(0, Math.Min(block.Length, ids.Length - start));
            ids.CopyTo(start, part);
            hash.AppendData(MemoryMarshal.AsBytes(part));
        }

        if (hasParts)
            labels.AppendTo(hash);

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
