using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using TinyMoE.Backends;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Generate;

/// <summary>
/// Writes text token by token. With the model's cache each token costs one position; without it the whole window is computed again, which
/// is slow and kept as the reference: both give the same tokens. A full context starts over from its last half.
/// </summary>
public sealed class Generator
{
    private const int Part = ContextWindow.Part;

    private readonly Backend backend;
    private readonly Decoder model;
    private readonly bool useCache;

    /// <summary>
    /// A generator for <paramref name="model"/>, which lives on <paramref name="backend"/>. A model that looks ahead gets no cache: what
    /// it thought of earlier tokens changes.
    /// </summary>
    public Generator(Backend backend, Decoder model, bool useCache = true) =>
        (this.backend, this.model, this.useCache) = (backend, model, useCache && !model.Config.Moe.LooksAhead);

    /// <summary>The ids that may be written, rising; null: all. A model may have more symbols than its tokenizer has tokens.</summary>
    public IReadOnlyList<int>? Writable { get; init; }

    /// <summary>Whether the host chooses even where the device could: slow, and what the other way is compared with.</summary>
    internal bool ChoosesOnHost { get; init; }

    /// <summary>The label that all tokens are taken to have, for the router task; null: none.</summary>
    public int? Label { get; init; }

    /// <summary>Tokens that end the text; the one that does is the last that is given.</summary>
    public IReadOnlySet<int> StopTokens { get; init; } = new HashSet<int>();

    /// <summary>
    /// The next <paramref name="count"/> tokens after <paramref name="prompt"/> (at least one token), one by one as they are chosen; fewer
    /// where a stop token comes.
    /// </summary>
    /// <exception cref="TinyMoEException">The model computes what is not finite, or an id or an option is out of its range.</exception>
    public IEnumerable<int> Generate(IReadOnlyList<int> prompt, int count, SamplingOptions options)
    {
        if (prompt.Count == 0)
            throw new ArgumentException("Generation needs a prompt of at least one token.");
        if (Writable is { Count: 0 })
            throw new ArgumentException("Generation needs an id at least that may be written.");
        CheckIds(prompt, model.Config.Model.Vocabulary);
        options.Validate();
        return useCache && !ChoosesOnHost && !backend.ReadsHostMemory && model.ReadsState
            ? GenerateThere(prompt, count, options)
            : GenerateHere(prompt, count, options);
    }

    /// <summary>Tokens are chosen on the host: it reads the logits of each.</summary>
    private IEnumerable<int> GenerateHere(IReadOnlyList<int> prompt, int count, SamplingOptions options)
    {
        int context = model.Config.Model.Context, V = model.Config.Model.Vocabulary;
        Sampler sampler = new(options.Rules, Writable?.Count ?? V);
        HashSet<int>? seen = options.RepetitionPenalty == 1f ? null : [.. prompt];
        float[] logits = new float[V];
        List<int> window = new((int)Math.Min(context, (long)prompt.Count + count) + 1);
        window.AddRange(prompt.Skip(prompt.Count - context));
        using DecoderCache? cache = useCache ? model.NewCache() : null;
        using Tape tape = Tape.Rewindable(backend);
        for (int index = 0; index < count; index++)
        {
            if (IsStartedOver(window))
                cache?.Clear();
            ReadLogits(tape, window, cache, logits);
            if (seen is not null)
                Sampler.Penalize(logits, seen, options.RepetitionPenalty);
            int token = sampler.Choose(logits, Writable, index);
            window.Add(token);
            seen?.Add(token);
            yield return token;
            if (StopTokens.Contains(token))
                yield break;
        }
    }

    /// <summary>
    /// Tokens are chosen on the device, and the host reads up to sixteen at a time; the first by itself, so that it is there at once. What
    /// was computed behind a stop token is dropped.
    /// </summary>
    private IEnumerable<int> GenerateThere(IReadOnlyList<int> prompt, int count, SamplingOptions options)
    {
        int context = model.Config.Model.Context;
        List<int> window = [.. prompt.Skip(prompt.Count - context)];
        using DecodeLoop loop = new(backend, model, options.Rules, prompt, Writable, Label);
        for (int index = 0, steps; index < count; index += steps)
        {
            bool begins = IsStartedOver(window) || index == 0;
            steps = index == 0 ? 1 : Math.Min(Math.Min(DecodeLoop.Together, count - index), context + 1 - window.Count);
            if (begins)
                loop.Begin(CollectionsMarshal.AsSpan(window), index, Part);
            loop.Go(begins ? steps - 1 : steps);
            int[] tokens = loop.Fetch(index, steps, out int? failed);
            foreach ((int token, int i) in tokens.Select((token, i) => (token, index + i)))
            {
                if (i >= failed)
                    throw NotFinite();
                window.Add(token);
                yield return token;
                if (StopTokens.Contains(token))
                    yield break;
            }
        }
    }

    private bool IsStartedOver(List<int> window) => ContextWindow.IsStartedOver(window, model.Config.Model.Context);

    internal static void CheckIds(IReadOnlyList<int> prompt, int vocabulary)
    {
        foreach (int token in prompt)
        {
            if ((uint)token >= (uint)vocabulary)
                throw new TinyMoEException($"The prompt has the id {token}, and the model knows ids from 0 to {vocabulary - 1} only.");
        }
    }

    /// <summary>Logits after the last token of the window; the cache holds what was computed before.</summary>
    private void ReadLogits(Tape tape, List<int> window, DecoderCache? cache, Span<float> logits)
    {
        ReadOnlySpan<int> tokens = CollectionsMarshal.AsSpan(window)[(cache?.Length ?? 0)..];
        for (; cache is not null && tokens.Length > Part; tokens = tokens[Part..])
            _ = Forward(tape, tokens[..Part], cache);
        backend.Read(Forward(tape, tokens, cache).Logits.Data, logits);
        if (!TensorPrimitives.IsFiniteAll<float>(logits))
            throw NotFinite();
    }

    /// <summary>What comes after these tokens, on a tape that gives up what it holds of those before.</summary>
    private DecoderOutput Forward(Tape tape, ReadOnlySpan<int> tokens, DecoderCache? cache)
    {
        tape.Rewind();
        TokenBatch batch = TokenBatch.OfSequence(tape, tape.Ints(tokens), Label);
        return model.Forward(tape, batch, Pass.Inference, cache, lastOnly: true);
    }

    internal static TinyMoEException NotFinite() => new(
        "The model's logits are not finite, so there is no text to write: its weights are damaged, or its training went wrong.");
}
