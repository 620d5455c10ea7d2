namespace TinyMoE.Backends;

// Assignments that are balanced by themselves, and the bias that balances over steps.
public abstract partial class Backend
{
    /// <summary>
    /// One expert per token, each expert at most ⌈N'/E⌉ of the N' tokens, so that the sum of the scores is nearly the largest possible:
    /// an auction (Bertsekas 1992). A token whose first score is below −10³⁰ is not there and gets −1. scores (N, E), choices (N).
    /// </summary>
    public abstract void AssignBalanced(Floats scores, int N, int E, Ints choices);

    /// <summary>
    /// plan = diag(r)·exp(logits)·diag(c) whose rows sum to 1/N and columns to 1/E, by Sinkhorn's iteration until the mean change
    /// of c is below 10⁻⁴ (at most 100 times). A row that begins below −10³⁰ is not there: its plan is 0. logits, plan (N, E).
    /// </summary>
    public abstract void Sinkhorn(Floats logits, int N, int E, Floats plan);

    /// <summary>bias[e] += rate·sign(mean(counts) − counts[e]). counts, bias (E).</summary>
    public abstract void StepBias(Floats counts, int E, float rate, Floats bias);
}
