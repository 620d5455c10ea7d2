using System.Globalization;
using System.Runtime.InteropServices;
using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Generate;

/// <summary>
/// Writes several texts at once, each as <see cref="Generator"/> writes it alone. A step chooses a token of every text whose prompt is
/// read; of the prompts that are not, one part of the oldest is read before it (512 tokens, as a generator reads them), so that a long
/// prompt does not keep the others waiting. A text that is over frees its slot, and those that wait enter in their order.
/// </summary>
/// <remarks>
/// <para>The tokens of a step are one forward pass, which reads the weights once for all of them; each has its own position and its own
/// cache, and what is computed of it is the same bits as alone. Models where tokens feel their neighbours (expert choice, a capacity that
/// drops in evaluation) get a pass per text instead.</para>
/// <para>Requests may come, and sequences be cancelled, from any thread; steps are one thread's.</para>
/// </remarks>
public sealed class BatchGenerator : IDisposable
{
    private readonly Backend backend;
    private readonly Decoder model;
    private readonly int slots;
    private readonly int context;
    private readonly int vocabulary;
    private readonly bool usesCaches;
    private readonly bool joins; // whether one pass has the tokens of all texts
    private readonly Lock gate = new();
    private readonly Queue<BatchSequence> waiting = [];
    private readonly List<BatchSequence> running = []; // in the order in which they came
    private readonly List<BatchSequence> ready = [];   // those that a token is chosen of in this step
    private readonly JoinedStep joined;
    private readonly Tape tape;
    private readonly Action<BatchSequence> readPart, writeToken, makeRoom, chooseAtPlace; // once: a step makes no objects
    private readonly Predicate<BatchSequence> isReading;
    private float[] logits = [];
    private int place; // the row of the sequence whose token is chosen
    private bool isDisposed;

    /// <summary>A generator of at most so many texts at once for <paramref name="model"/>, which lives on <paramref name="backend"/>.
    /// </summary>
    /// <exception cref="TinyMoEException">There is no slot.</exception>
    public BatchGenerator(Backend backend, Decoder model, int slots)
    {
        if (slots < 1)
            throw new TinyMoEException($"There are {slots} slots for texts; there must be one at least.");
        (this.backend, this.model, this.slots) = (backend, model, slots);
        (context, vocabulary) = (model.Config.Model.Context, model.Config.Model.Vocabulary);
        MoeConfig moe = model.Config.Moe;
        usesCaches = !moe.LooksAhead;
        joins = usesCaches && (moe.Experts == 0 || moe.Router != RouterKind.ExpertChoice);
        joined = new JoinedStep(model);
        tape = Tape.Rewindable(backend);
        (readPart, writeToken, makeRoom, isReading) = (ReadPart, WriteToken, MakeRoom, IsReading);
        chooseAtPlace = sequence => Choose(sequence, logits.AsSpan(place * vocabulary, vocabulary));
    }

    /// <summary>The ids that may be written, rising; null: all. A model may have more symbols than its tokenizer has tokens.</summary>
    public IReadOnlyList<int>? Writable { get; init; }

    /// <summary>Texts that have a slot.</summary>
    public int Running { get; private set; }

    /// <summary>Texts that wait for one.</summary>
    public int Waiting
    {
        get
        {
            lock (gate)
                return waiting.Count;
        }
    }

    /// <summary>Asks for a text; it is written by the steps to come.</summary>
    /// <exception cref="TinyMoEException">The prompt is empty or has ids that the model does not know, or an option is out of its range.
    /// </exception>
    public BatchSequence Add(BatchRequest request)
    {
        Check(request);
        BatchSequence sequence = new(request, context);
        lock (gate)
        {
            if (isDisposed)
                throw new TinyMoEException("No text can be asked for any more: the generator has ended.");
            waiting.Enqueue(sequence);
        }

        return sequence;
    }

    /// <summary>Reads a part of a prompt and chooses a token of each text whose prompt is read; false: there was nothing to do.</summary>
    public bool Step()
    {
        Admit();
        BatchSequence? reading = running.Find(isReading);
        if (reading is not null)
            Try(reading, readPart);
        ready.Clear();
        foreach (BatchSequence sequence in running)
        {
            if (sequence != reading && !sequence.IsOver && !IsReading(sequence))
                ready.Add(sequence);
        }

        if (joins && ready.Count > 1)
            WriteTokens();
        else
            TryEach(writeToken);
        bool hadWork = running.Count > 0;
        Sweep();
        return hadWork;
    }

    /// <summary>Ends all texts and gives the memory back; not while a step goes on.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isDisposed = true;
            foreach (BatchSequence sequence in waiting)
                sequence.Cancel();
            waiting.Clear();
        }

        running.ForEach(sequence => sequence.Cancel());
        Sweep();
        tape.Dispose();
    }

    private void Check(BatchRequest request)
    {
        if (request.Prompt.Count == 0)
            throw new TinyMoEException("The prompt is empty: a model needs a token to begin with.");
        if (request.Count < 0)
            throw new TinyMoEException($"{request.Count} tokens are asked for; there must be none or more.");
        if (request.Alternatives is < 0 or > BatchRequest.MostAlternatives)
        {
            throw new TinyMoEException(
                $"{request.Alternatives} alternatives per token are asked for; there must be 0 to {BatchRequest.MostAlternatives}.");
        }

        if (Writable is { Count: 0 })
            throw new TinyMoEException("No id may be written: there must be one at least.");
        if (request.Echo && request.Alternatives is not null && request.Prompt.Count > context)
        {
            throw new TinyMoEException(
                $"The prompt has {request.Prompt.Count} tokens, and only as many as the context of {context} can be scored.");
        }

        MoeConfig moe = model.Config.Moe;
        if (moe.RoutesByLabel && !(request.Label >= 0 && request.Label < moe.Tasks))
        {
            throw new TinyMoEException(
                $"moe.router={RouterTraits.Of(moe.Router).Name} needs a label from 0 to {moe.Tasks - 1} for each text, "
                + $"and this one has {request.Label?.ToString(CultureInfo.InvariantCulture) ?? "none"}.");
        }

        Generator.CheckIds(request.Prompt, vocabulary);
        request.Sampling.Validate();
    }

    /// <summary>Gives free slots to those that wait, in their order.</summary>
    private void Admit()
    {
        Sweep();
        lock (gate)
        {
            while (running.Count < slots && waiting.TryDequeue(out BatchSequence? next))
            {
                if (next.IsOver)
                    continue;
                if (next.Request.Count == 0 && !HasToScore(next))
                    next.Finish(GenerationEnd.Length);
                else
                    running.Add(next);
            }
        }

        Running = running.Count;
    }

    /// <summary>Takes back the slots of those that are over.</summary>
    private void Sweep()
    {
        for (int i = running.Count - 1; i >= 0; i--)
        {
            if (running[i].IsOver)
            {
                running[i].Release();
                running.RemoveAt(i);
            }
        }

        Running = running.Count;
    }

    /// <summary>Does something for a sequence, which fails alone if that cannot be done.</summary>
    private static void Try(BatchSequence sequence, Action<BatchSequence> work)
    {
        try
        {
            work(sequence);
        }
        catch (TinyMoEException e)
        {
            sequence.Fail(e);
        }
    }

    private void TryEach(Action<BatchSequence> work)
    {
        foreach (BatchSequence sequence in ready)
            Try(sequence, work);
    }

    private static bool HasToScore(BatchSequence sequence) =>
        sequence.Request is { Echo: true, Alternatives: not null } && sequence.Scored < sequence.Request.Prompt.Count;

    /// <summary>Whether more than a token is to be read before the next is chosen.</summary>
    private bool IsReading(BatchSequence sequence) => HasToScore(sequence)
        || (usesCaches && (sequence.Window.Count > context || sequence.Window.Count - (sequence.Cache?.Length ?? 0) > 1));

    /// <summary>Reads the next part of a prompt, or of what is left of a context that was full; behind the last the first token comes.
    /// </summary>
    private void ReadPart(BatchSequence sequence)
    {
        if (HasToScore(sequence))
            ScorePart(sequence);
        if (sequence.Request.Count == 0)
        {
            if (!HasToScore(sequence))
                sequence.Finish(GenerationEnd.Length);
            return;
        }

        WriteToken(sequence);
    }

    /// <summary>The scores of the next part of a prompt. Of a model that looks ahead the part is all of it.</summary>
    private void ScorePart(BatchSequence sequence)
    {
        IReadOnlyList<int> prompt = sequence.Request.Prompt;
        int first = sequence.Scored, count = Math.Min(usesCaches ? ContextWindow.Part : context, prompt.Count - first);
        DecoderCache? cache = usesCaches ? sequence.ScoringCache ??= model.NewCache() : null;
        if (first == 0)
            sequence.Add(new BatchToken(prompt[0]));
        int[] part = [.. prompt.Skip(first).Take(count)];
        Read(Forward(sequence, part, cache, lastOnly: false), count);
        if (!Sampler.AreFinite(logits.AsSpan(0, count * vocabulary)))
            throw Generator.NotFinite();
        for (int i = 0; i < count && first + i + 1 < prompt.Count; i++)
            sequence.Add(Token(sequence, logits.AsSpan(i * vocabulary, vocabulary), prompt[first + i + 1]));
        sequence.Scored += count;
        if (HasToScore(sequence))
            return;
        sequence.ScoringCache?.Dispose();
        sequence.ScoringCache = null;
    }

    /// <summary>Reads what the sequence has not read, a part at most, and where that was all chooses a token.</summary>
    private void WriteToken(BatchSequence sequence)
    {
        List<int> window = sequence.Window;
        if (ContextWindow.IsStartedOver(window, context))
            sequence.Cache?.Clear();
        DecoderCache? cache = usesCaches ? sequence.Cache ??= model.NewCache() : null;
        ReadOnlySpan<int> tokens = CollectionsMarshal.AsSpan(window)[(cache?.Length ?? 0)..];
        bool isLast = cache is null || tokens.Length <= ContextWindow.Part;
        Tensor rows = Forward(sequence, isLast ? tokens : tokens[..ContextWindow.Part], cache, lastOnly: true);
        if (!isLast)
            return;
        Read(rows, 1);
        Choose(sequence, logits.AsSpan(0, vocabulary));
    }

    /// <summary>A token of each sequence that is ready, by one pass; what goes wrong with one is no matter of the others.</summary>
    private void WriteTokens()
    {
        TryEach(makeRoom);
        ready.RemoveAll(static sequence => sequence.IsOver);
        if (ready.Count == 0)
            return;
        try
        {
            tape.Rewind();
            Read(joined.Forward(backend, tape, ready), ready.Count);
        }
        catch (TinyMoEException e)
        {
            ready.ForEach(sequence => sequence.Fail(e));
            return;
        }

        for (int n = 0; n < ready.Count; n++)
        {
            place = n;
            Try(ready[n], chooseAtPlace);
        }
    }

    /// <summary>Makes sure that there is room for one token more, which a pass in common could not blame on one sequence.</summary>
    private void MakeRoom(BatchSequence sequence)
    {
        DecoderCache cache = sequence.Cache ??= model.NewCache();
        cache.Reserve(cache.Length + 1);
    }

    /// <summary>Logits after these tokens of one sequence, or after the last only.</summary>
    private Tensor Forward(BatchSequence sequence, ReadOnlySpan<int> tokens, DecoderCache? cache, bool lastOnly)
    {
        tape.Rewind();
        TokenBatch batch = TokenBatch.OfSequence(tape, tape.Ints(tokens), sequence.Request.Label);
        return model.Forward(tape, batch, Pass.Inference, cache, lastOnly).Logits;
    }

    private void Read(Tensor rows, int count)
    {
        if (logits.Length < count * vocabulary)
            logits = new float[count * vocabulary];
        backend.Read(rows.Data, logits.AsSpan(0, count * vocabulary));
        tape.Rewind(); // the memory is free while tokens are chosen
    }

    /// <summary>Chooses the next token of a sequence by its logits (V), which a penalty may change.</summary>
    private void Choose(BatchSequence sequence, Span<float> row)
    {
        if (!Sampler.AreFinite(row))
            throw Generator.NotFinite();
        BatchRequest request = sequence.Request;
        sequence.Sampler ??= new Sampler(request.Sampling.Rules, Writable?.Count ?? vocabulary);
        float[]? before = request.Alternatives is not null && sequence.Seen is not null ? row.ToArray() : null;
        if (sequence.Seen is { } seen)
            Sampler.Penalize(row, seen, request.Sampling.RepetitionPenalty);
        int id = sequence.Sampler.Choose(row, Writable, sequence.Chosen++);
        sequence.Window.Add(id);
        sequence.Seen?.Add(id);
        GenerationEnd? end = request.StopTokens.Contains(id) ? GenerationEnd.StopToken
            : sequence.Chosen == request.Count ? GenerationEnd.Length : null;
        sequence.Add(Token(sequence, before ?? row, id), end);
    }

    private BatchToken Token(BatchSequence sequence, ReadOnlySpan<float> row, int id) => sequence.Request.Alternatives is { } count
        ? LogProbabilities.Of(row, id, count, Writable) : new BatchToken(id);
}
