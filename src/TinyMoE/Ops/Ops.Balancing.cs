using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>One expert per token, loads equal, the sum of scores nearly the largest possible; a token
    /// whose first score is below −10³⁰ is not there and gets −1. scores (N, E), result (N).</summary>
    public static Ints AssignBalanced(this Tensor scores)
    {
        int E = scores.Shape.Last, N = scores.Count / E;
        Ints choices = scores.Tape.Ints(N);
        scores.Tape.Backend.AssignBalanced(scores.Data, N, E, choices);
        return choices;
    }

    /// <summary>exp(logits) scaled by row and by column until rows sum to 1/N and columns to 1/E; a constant.
    /// A row that begins below −10³⁰ is not there and gives zeros. logits, result (N, E).</summary>
    public static Tensor Sinkhorn(this Tensor logits)
    {
        int E = logits.Shape.Last, N = logits.Count / E;
        Tensor plan = logits.Tape.Constant(logits.Shape);
        logits.Tape.Backend.Sinkhorn(logits.Data, N, E, plan.Data);
        return plan;
    }
}
