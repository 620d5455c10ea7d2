using TinyMoE.Backends;
using TinyMoE.Models;

namespace TinyMoE.Generate;

/// <summary>
/// A text that a <see cref="BatchGenerator"/> writes, or has written. It may be read and cancelled from any thread. Who follows it asks
/// first whether it has ended and then for its tokens: those that it has by then are all.
/// </summary>
public sealed class BatchSequence
{
    private readonly Lock gate = new();
    private readonly List<BatchToken> tokens = [];
    private GenerationEnd? end;
    private TinyMoEException? failure;

    internal BatchSequence(BatchRequest request, int context)
    {
        Request = request;
        Window = [.. request.Prompt.Skip(request.Prompt.Count - context)];
        Seen = request.Sampling.RepetitionPenalty == 1f ? null : [.. request.Prompt];
        if (request.Echo && request.Alternatives is null)
            tokens.AddRange(request.Prompt.Select(id => new BatchToken(id)));
    }

    /// <summary>What was asked for.</summary>
    public BatchRequest Request { get; }

    /// <summary>How many tokens there are by now.</summary>
    public int Count
    {
        get
        {
            lock (gate)
                return tokens.Count;
        }
    }

    /// <summary>Why it ended; null while it waits or is written, and where it failed.</summary>
    public GenerationEnd? End
    {
        get
        {
            lock (gate)
                return end;
        }
    }

    /// <summary>Why it could not be written to its end; null: nothing went wrong.</summary>
    public TinyMoEException? Failure
    {
        get
        {
            lock (gate)
                return failure;
        }
    }

    /// <summary>Whether nothing comes any more: it ended, or failed.</summary>
    public bool IsOver
    {
        get
        {
            lock (gate)
                return end is not null || failure is not null;
        }
    }

    /// <summary>What it was computed from so far, at most the context and one more.</summary>
    internal List<int> Window { get; }

    /// <summary>The tokens that a penalty for repetition is for; null: there is none.</summary>
    internal HashSet<int>? Seen { get; }

    /// <summary>Chooses its tokens, once it has a slot.</summary>
    internal Sampler? Sampler { get; set; }

    /// <summary>How many tokens were chosen.</summary>
    internal int Chosen { get; set; }

    /// <summary>What the model keeps of it; null: it has no slot, or the model keeps nothing.</summary>
    internal DecoderCache? Cache { get; set; }

    /// <summary>The same of a prompt whose tokens are scored: another, because logits of many tokens at once are other bits.</summary>
    internal DecoderCache? ScoringCache { get; set; }

    /// <summary>Tokens of the prompt that have their scores, or need none.</summary>
    internal int Scored { get; set; }

    /// <summary>The tokens so far from number <paramref name="first"/> on, those of the prompt first where they are asked for.</summary>
    public BatchToken[] TokensFrom(int first)
    {
        lock (gate)
            return first < tokens.Count ? [.. tokens.Skip(first)] : [];
    }

    /// <summary>Ends it where it is, unless it is over already. Its slot is free from the next step on.</summary>
    public void Cancel() => Finish(GenerationEnd.Cancelled);

    internal void Finish(GenerationEnd why)
    {
        lock (gate)
        {
            if (end is null && failure is null)
                end = why;
        }
    }

    internal void Fail(TinyMoEException why)
    {
        lock (gate)
        {
            if (end is null && failure is null)
                failure = why;
        }
    }

    /// <summary>Adds a token, and says why the sequence ends with it; null: it goes on. After its end nothing is added.</summary>
    internal void Add(BatchToken token, GenerationEnd? why = null)
    {
        lock (gate)
        {
            if (end is not null || failure is not null)
                return;
            tokens.Add(token);
            end = why;
        }
    }

    /// <summary>Gives the memory back.</summary>
    internal void Release()
    {
        Cache?.Dispose();
        ScoringCache?.Dispose();
        (Cache, ScoringCache, Sampler) = (null, null, null);
    }
}
