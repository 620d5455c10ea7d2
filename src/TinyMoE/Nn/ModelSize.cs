using TinyMoE.Configuration;

namespace TinyMoE.Nn;

/// <summary>Parameters of one part of a model.</summary>
/// <param name="Name">embedding, attention, router, experts, feed-forward, norms, head.</param>
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
                return new ModelPart(group.Key, total, group.Key == "experts" ? total * moe.Active / moe.Experts : total);
            }),
        ];

        // Each weight of a product costs a multiplication and an addition a token; attention costs as much for every key it sees, twice (scores, values).
        long products = parts.Where(p => p.Name is not ("embedding" or "norms")).Sum(p => p.Active);
        if (model.TieEmbeddings)
            products += (long)model.Vocabulary * model.Width;
        double keys = model.Window == 0 ? (model.Context + 1) / 2.0 : Math.Min(model.Window, (model.Context + 1) / 2.0);
        long flops = 2 * products + (long)(4 * keys * model.Width * model.Layers);

        long weights = plan.Sum(p => (long)p.Count) * sizeof(float);
        long tokens = (long)config.Train.Batch / config.Train.Accumulation * model.Context;
        long cache = 2L * model.Layers * model.Context * model.KvHeadsOrAll * model.HeadSize * sizeof(float);
        return new ModelSize(parts, flops, 4 * weights + tokens * ActivationsPerToken(config) * sizeof(float), weights + cache);
    }

    /// <summary>Values that the tape holds for each token when the forward pass is done: the outputs and saved values of every op, in the order of <see cref="Decoder"/>.</summary>
    private static long ActivationsPerToken(RunConfig config)
    {
        (ModelConfig model, MoeConfig moe) = (config.Model, config.Moe);
        long C = model.Width, keyWidth = (long)model.KvHeadsOrAll * model.HeadSize;
        bool gated = model.FeedForward == FeedForwardKind.SwiGlu, rope = model.Positions == PositionKind.Rope;
        long dropout = model.Dropout > 0 ? C : 0;

        long Hidden(long F) => (gated ? 3 : 2) * F;              // w1·x, w3·x, the activation
        long values = C * (rope ? 1 : 3);                        // embeddings and their sum
        for (int layer = 0; layer < model.Layers; layer++)
        {
            values += C + C + 2 * keyWidth + (rope ? C + keyWidth : 0) + C + C + dropout + C; // norm, q, k, v, rotated, attention, projection, sum
            values += C + dropout + C;                           // norm, (dropout,) sum
            values += moe.InLayer(layer)
                ? moe.Active * (C + Hidden(moe.HiddenOrDefault(model.Width)) + C) + C // dispatched, hidden, computed, combined
                : Hidden(model.HiddenOrDefault) + C;
        }

        return values + C + 2 * model.Vocabulary;                // final norm, logits and their gradient
    }

    private static string PartOf(string parameter) => parameter switch
    {
        _ when parameter.Contains("norm", StringComparison.Ordinal) => "norms",
        _ when parameter.Contains("embed", StringComparison.Ordinal) => "embedding",
        _ when parameter.Contains("self_attn", StringComparison.Ordinal) => "attention",
        _ when parameter.Contains("experts", StringComparison.Ordinal) => "experts",
        _ when parameter.Contains("block_sparse_moe", StringComparison.Ordinal) => "router",
        _ when parameter.Contains("mlp", StringComparison.Ordinal) => "feed-forward",
        _ => "head",
    };
}
