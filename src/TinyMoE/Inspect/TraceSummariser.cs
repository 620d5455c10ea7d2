using TinyMoE.Tokenizers;

namespace TinyMoE.Inspect;

/// <summary>Gathers from a trace, batch by batch, what the experts of each layer live on.</summary>
/// <param name="tokenizer">The tokenizer, for the texts of tokens.</param>
/// <param name="domains">The names of the labels of the text; empty where all has one.</param>
public sealed class TraceSummariser(Tokenizer tokenizer, IReadOnlyList<string> domains)
{
    private readonly TokenKind[] kinds = TokenKinds.Of(tokenizer);
    private readonly SortedDictionary<int, SummarisedLayer> layers = [];
    private readonly Dictionary<int, long> ids = [];
    private readonly long[] ofKind = new long[TokenKinds.Count];
    private readonly long[] atPosition = new long[SummarisedLayer.Positions];
    private readonly long[] ofDomain = new long[domains.Count];
    private long tokens;

    /// <summary>Adds the tokens of a batch that are traced.</summary>
    public void Add(TraceBatch batch)
    {
        for (int n = 0; n < batch.Ids.Length; n++)
        {
            if (!batch.Traced[n])
                continue;
            SummarisedToken token = TokenOf(batch, n);
            tokens++;
            ofKind[(int)token.Kind]++;
            atPosition[token.Eighth]++;
            if (token.Domain >= 0)
                ofDomain[token.Domain]++;
            ids[token.Id] = ids.GetValueOrDefault(token.Id) + 1;
            foreach (TraceLayer layer in batch.Layers)
            {
                if (!layers.TryGetValue(layer.Layer, out SummarisedLayer? gathered))
                    layers[layer.Layer] = gathered = new SummarisedLayer(layer.Experts, domains.Count);
                gathered.Add(batch, layer, n, token);
            }
        }
    }

    /// <summary>What was gathered.</summary>
    public TraceSummary Summarise() =>
        new(tokens, domains, [.. layers.Select(layer => Of(layer.Key, layer.Value))]);

    private SummarisedToken TokenOf(TraceBatch batch, int n)
    {
        int id = batch.Ids[n];
        TokenKind kind = id < kinds.Length ? kinds[id] : TokenKind.Special;
        int eighth = n % batch.T * SummarisedLayer.Positions / batch.T;
        return new SummarisedToken(id, kind, eighth, batch.Labels.Length > 0 && domains.Count > 0 ? batch.Labels[n] : -1);
    }

    private LayerSummary Of(int layer, SummarisedLayer gathered) => new(
        layer,
        gathered.GateEntropy,
        gathered.VocabularySpecialisation(ids),
        gathered.CoActivation,
        [.. Enumerable.Range(0, gathered.Experts).Select(e => Of(gathered, e))]);

    private ExpertSummary Of(SummarisedLayer gathered, int e)
    {
        long own = gathered.Tokens[e], served = gathered.Served[e];
        return new ExpertSummary(
            e,
            own,
            Share(own, tokens),
            served == 0 ? 0f : (float)(gathered.Gates[e] / served),
            served == 0 ? null : (float)(gathered.Norms[e] / served),
            Shares(gathered.ByKind[e], ofKind),
            Shares(gathered.ByPosition[e], atPosition),
            Shares(gathered.ByDomain[e], ofDomain),
            [.. gathered.LivesOn(e, ids, tokens).Select(each =>
                new TokenShare(each.Id, TextOf(each.Id), each.Count, ids[each.Id], each.Lift))],
            [.. gathered.Contexts[e].Select(ContextOf)]);
    }

    private TokenContext ContextOf(SummarisedContext context) => new(
        context.Window,
        context.Position,
        context.Gate,
        Decode(context.Ids.AsSpan(0, context.At)),
        Decode(context.Ids.AsSpan(context.At, 1)),
        Decode(context.Ids.AsSpan(context.At + 1)));

    private string Decode(ReadOnlySpan<int> ids)
    {
        List<int> known = [];
        foreach (int id in ids)
        {
            if (id < tokenizer.Vocabulary)
                known.Add(id);
        }

        return tokenizer.Decode([.. known], skipSpecial: false);
    }

    private string TextOf(int id) => id < tokenizer.Vocabulary ? tokenizer.TokenText(id) : "";

    private static float Share(long count, long of) => of == 0 ? 0f : (float)((double)count / of);

    private static float[] Shares(long[] counts, long[] of) => [.. counts.Zip(of, Share)];
}

/// <summary>What is counted of a token.</summary>
internal readonly record struct SummarisedToken(int Id, TokenKind Kind, int Eighth, int Domain);

/// <summary>A place where an expert had a large gate: the ids around it, and where among them it is.</summary>
internal sealed record SummarisedContext(int Window, int Position, float Gate, int[] Ids, int At);
