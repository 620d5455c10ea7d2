namespace TinyMoE.Backends;

// Assignments that are balanced by themselves, and the bias that balances over steps.
public abstract partial class Backend
{
    /// <summary>
    /// One expert per token, each expert at most ⌈T'/E⌉ of the T' tokens, so that the sum of the scores is nearly the largest possible:
    /// an auction (Bertsekas 1992). A token whose first score is below −10³⁰ is not there and gets −1. scores (T, E), choices (T).
    /// </summary>
    public abstract void AssignBalanced(Floats scores, int T, int E, Ints choices);

    /// <summary>
    /// plan = diag(r)·exp(logits)·diag(c) whose rows sum to 1/T and columns to 1/E, by Sinkhorn's iteration until the mean change
    /// of c is below 10⁻⁴ (at most 100 times). A row that begins below −10³⁰ is not there: its plan is 0. logits, plan (T, E).
    /// </summary>
    public abstract void Sinkhorn(Floats logits, int T, int E, Floats plan);

    /// <summary>bias[e] += rate·sign(mean(counts) − counts[e]). counts, bias (E).</summary>
    public abstract void StepBias(Floats counts, int E, float rate, Floats bias);
}
