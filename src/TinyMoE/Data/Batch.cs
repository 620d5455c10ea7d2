using TinyMoE.Layers;

namespace TinyMoE.Data;

/// <summary>What a model is trained on or judged by at a time.</summary>
/// <param name="Tokens">The tokens that it reads, with their labels where the router asks for them.</param>
/// <param name="Targets">(B·T), the id that it is to give after each token; -1 counts in no loss.</param>
public sealed record Batch(TokenBatch Tokens, Ints Targets)
{
    /// <summary>How many bytes of text the targets stand for; 0: none, or nobody knows.</summary>
    public long TargetBytes { get; init; }
}

/// <summary>A batch that a model is judged by, with what its report needs besides.</summary>
/// <param name="Batch">What the model reads, and what it is to give.</param>
/// <param name="Labels">(B·T), the labels of the tokens on the host; the caller may change them.</param>
/// <param name="TargetBytes">How many bytes of text the targets stand for.</param>
public sealed record EvaluationBatch(Batch Batch, int[] Labels, long TargetBytes);
