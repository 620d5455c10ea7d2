using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>One expert per token, loads equal, the sum of scores nearly the largest possible; a token
    /// whose first score is below −10³⁰ is not there and gets −1. scores (T, E), result (T).</summary>
    public static Ints AssignBalanced(this Tensor scores)
    {
        int E = scores.Shape.Last, T = scores.Count / E;
        Ints choices = scores.Tape.Ints(T);
        scores.Tape.Backend.AssignBalanced(scores.Data, T, E, choices);
        return choices;
    }

    /// <summary>exp(logits) scaled by row and by column until rows sum to 1/T and columns to 1/E; a constant.
    /// A row that begins below −10³⁰ is not there and gives zeros. logits, result (T, E).</summary>
    public static Tensor Sinkhorn(this Tensor logits)
    {
        int E = logits.Shape.Last, T = logits.Count / E;
        Tensor plan = logits.Tape.Constant(logits.Shape);
        logits.Tape.Backend.Sinkhorn(logits.Data, T, E, plan.Data);
        return plan;
    }
}
