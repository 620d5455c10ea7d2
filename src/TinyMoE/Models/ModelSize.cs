using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;

namespace TinyMoE.Models;

/// <summary>Parameters of one part of a model.</summary>
/// <param name="Name">embedding, attention, attention experts, router, experts, shared experts, feed-forward, norms, head.</param>
/// <param name="Total">All of them.</param>
/// <param name="Active">Those that one token meets.</param>
public sealed record ModelPart(string Name, long Total, long Active);

/// <summary>What a configuration costs, before it is built.</summary>
/// <param name="Parts">Parameters by part.</param>
/// <param name="ForwardFlopsPerToken">Multiplications and additions of one token's forward pass, at a full context; training costs three times that.</param>
/// <param name="TrainingBytes">Memory that training needs: weights, gradients, two moments, activations.</param>
/// <param name="GenerationBytes">Memory that generation needs: weights and the KV cache.</param>
public sealed record ModelSize(IReadOnlyList<ModelPart> Parts, long ForwardFlopsPerToken, long TrainingBytes, long GenerationBytes)
{
    /// <summary>All parameters.</summary>
    public long TotalParameters => Parts.Sum(p => p.Total);

    /// <summary>Parameters that one token meets.</summary>
    public long ActiveParameters => Parts.Sum(p => p.Active);

    /// <summary>Works it out from the shapes of the parameters. The vocabulary must be known.</summary>
    public static ModelSize Of(RunConfig config)
    {
        (ModelConfig model, MoeConfig moe) = (config.Model, config.Moe);
        IReadOnlyList<Parameter> plan = Decoder.Plan(config);
        ModelPart[] parts =
        [
            .. plan.GroupBy(p => PartOf(p.Name)).Select(group =>
            {
                long total = group.Sum(p => (long)p.Count);
                return new ModelPart(group.Key, total, group.Key switch
                {
                    "experts" => total * moe.ActiveOfRouter / moe.Experts,
                    "attention experts" => total * config.Attention.Active / config.Attention.Experts,
                    _ => total,
                });
            }),
        ];

        // Each weight of a product costs a multiplication and an addition a token; attention costs as much for every key it sees, twice (scores, values).
        long products = parts.Where(p => p.Name is not ("embedding" or "norms")).Sum(p => p.Active);
        if (model.TieEmbeddings)
            products += (long)model.Vocabulary * model.Width;
        double keys = Enumerable.Range(0, model.Layers).Sum(layer => KeysSeen(config.Attention.Window[layer], model.Context));
        long flops = 2 * products + (long)(4 * keys * config.Attention.QueryWidth(model.Width));

        long narrow = plan.Where(p => p.Precision == ElementType.Bfloat16).Sum(p => (long)p.Count); // in training 16 bits more each, else 16 bits fewer
        long weights = plan.Sum(p => (long)p.Count) * sizeof(float);
        long tokens = (long)config.Train.Batch / config.Train.Accumulation * model.Context;
        long training = 4 * weights + sizeof(ushort) * narrow + tokens * ActivationsPerToken(config) * sizeof(float);
        return new ModelSize(parts, flops, training, weights - sizeof(ushort) * narrow + Decoder.PlanCache(config));
    }

    /// <summary>Keys that a token sees in the mean, at a full context.</summary>
    private static double KeysSeen(int window, int context) => window == 0 ? (context + 1) / 2.0 : Math.Min(window, (context + 1) / 2.0);

    /// <summary>
    /// Most values that the tape holds for each token at one time: the outputs and saved values of every op, in the order of <see cref="Decoder"/>, and at the end what is
    /// more: the head and the gradient of the logits, or, in the backward of the last feed-forward, the gradient of its hidden values.
    /// </summary>
    private static long ActivationsPerToken(RunConfig config)
    {
        (ModelConfig model, MoeConfig moe) = (config.Model, config.Moe);
        AttentionConfig attention = config.Attention;
        long C = model.Width, queryWidth = attention.QueryWidth(model.Width), keyWidth = attention.KeyWidth(model.Width);
        long normed = attention.QueryKeyNorm == QueryKeyNorm.None ? 0 : queryWidth + keyWidth, scaled = attention.Scale == 0 ? 0 : queryWidth;
        long dropout = model.Dropout > 0 ? C : 0;
        int hiddenCopies = model.FeedForward switch { FeedForwardKind.SwiGlu => 3, FeedForwardKind.Gelu => 2, _ => 1 }; // w1·x, w3·x, the activation; of ReLU only that
        long values = C * (model.Positions == PositionKind.Rope ? 1 : 3); // embeddings and their sum
        long hidden = 0;
        for (int layer = 0; layer < model.Layers; layer++)
        {
            bool sparse = moe.InLayer(layer);
            long sharedHidden = sparse ? (long)moe.SharedExperts * moe.HiddenOrDefault(model.Width) : 0;
            long rows = sparse ? RowsPerToken(moe) : 0;
            hidden = sparse ? rows * moe.HiddenOrDefault(model.Width) : model.HiddenOrDefault;
            values += C + queryWidth + 2 * keyWidth + normed + scaled; // norm, q, k, v, norms of q and k, scaled q
            values += queryWidth + C + dropout;                  // attention, projection (the sum takes its place)
            if (config.Attention.Kind == AttentionKind.SwitchHead)
                values += HeadExpertValues(config);
            values += C + hiddenCopies * hidden + C + dropout;          // norm, hidden, the branch (the sum takes its place)
            if (sparse)
            {
                // dispatched, computed; logits, their softmax, gradients; rounded; the shared experts
                values += rows * 2 * C + 3 * moe.Experts + (moe.ExpertPrecision == ElementType.Bfloat16 ? C : 0) + hiddenCopies * sharedHidden;
            }
        }

        return values + Math.Max(C + 2 * model.Vocabulary, hidden);
    }

    /// <summary>Rows of the experts for each token; full experts drop the rest.</summary>
    private static long RowsPerToken(MoeConfig moe) =>
        moe.CapacityFactor == 0 || !RouterTraits.Of(moe.Router).Drops ? moe.ActiveOfRouter : (long)Math.Ceiling(Math.Min(1, moe.CapacityFactor) * moe.ActiveOfRouter);

    /// <summary>What experts in attention add to it: for each choice of a head a dispatched and a computed row, and what choosing takes.</summary>
    private static long HeadExpertValues(RunConfig config)
    {
        (ModelConfig model, AttentionConfig attention) = (config.Model, config.Attention);
        int dropoutCopies = attention.GateDropout > 0 ? 6 : 0; // uniform numbers, four steps to the mask, the masked scores
        long scores = (1 + dropoutCopies) * (long)attention.Experts;
        long choices = attention.Active * (4L + 7L);             // gates before and after the sigmoid, in two orders; the columns and two plans of three
        return (attention.KvHeadsOrAll + attention.Heads) * (scores + choices + attention.Active * (long)(model.Width + attention.HeadSizeOrDefault(model.Width)));
    }

    private static string PartOf(string parameter) => parameter switch
    {
        _ when parameter.Contains("norm", StringComparison.Ordinal) => "norms",
        _ when parameter.Contains("embed", StringComparison.Ordinal) => "embedding",
        _ when parameter.Contains("self_attn", StringComparison.Ordinal) && parameter.Contains("experts", StringComparison.Ordinal) => "attention experts",
        _ when parameter.Contains("self_attn", StringComparison.Ordinal) => "attention",
        _ when parameter.Contains("shared_expert", StringComparison.Ordinal) => "shared experts",
        _ when parameter.Contains("experts", StringComparison.Ordinal) => "experts",
        _ when parameter.Contains("block_sparse_moe", StringComparison.Ordinal) => "router",
        _ when parameter.Contains("mlp", StringComparison.Ordinal) => "feed-forward",
        _ => "head",
    };
}
