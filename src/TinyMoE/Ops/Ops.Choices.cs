using TinyMoE.Tensors;

namespace TinyMoE.Ops;

/// <remarks>Which experts a token is to have: ints (N, K), −1 for a choice that
/// is dropped. Ints have no gradient; the gates of the choices do.</remarks>
public static partial class Ops
{
    /// <summary>How often each expert is among the first <paramref name="counted"/> choices, times <paramref name="scale"/>,
    /// in each of <paramref name="groups"/> equal runs of tokens. choices (N, K); result (groups, E), a constant.</summary>
    public static Tensor CountChoices(this Tape tape, Ints choices, int K, int E, int counted, float scale, int groups = 1)
    {
        int N = choices.Length / K;
        Check.That(nameof(CountChoices), counted >= 1 && counted <= K && N % groups == 0,
            $"the first 1 to {K} choices of {N} tokens in equal groups, not {counted} in {groups}");
        Tensor counts = tape.Constant((groups, E));
        tape.Backend.CountChoices(choices, groups, N / groups, K, counted, E, scale, counts.Data);
        return counts;
    }

    /// <summary>The choices whose <paramref name="keep"/> is above 0; the others are −1. choices, keep, result (N, K).</summary>
    public static Ints KeepChoices(this Tensor keep, Ints choices)
    {
        Check.Length(nameof(KeepChoices), choices, keep.Count);
        Ints kept = keep.Tape.Ints(choices.Length);
        keep.Tape.Backend.KeepChoices(choices, keep.Data, choices.Length, kept);
        return kept;
    }

    /// <summary>
    /// The choices that find room when no expert serves more than <paramref name="capacity"/>; the others
    /// are −1. Larger <paramref name="priority"/> goes first, among equals (all, without a priority)
    /// first choices before second ones, then earlier tokens. choices, priority, result (N, K).
    /// </summary>
    public static Ints LimitCapacity(this Tape tape, Ints choices, int K, int E, int capacity, Tensor? priority)
    {
        if (priority is not null)
            Check.Count(nameof(LimitCapacity), priority, choices.Length);
        Check.That(nameof(LimitCapacity), capacity >= 1, $"the capacity is at least 1, not {capacity}");
        Ints kept = tape.Ints(choices.Length);
        tape.Backend.LimitCapacity(choices, priority?.Data ?? default, choices.Length / K, E, K, capacity, kept);
        return kept;
    }

    /// <summary>
    /// Experts choose tokens: of the m tokens of a group whose scores are not below 0 each takes max(1, ⌊m·active/E⌋),
    /// those with its largest scores. Groups are equal runs of tokens, or, <paramref name="interleaved"/>, the tokens
    /// of equal remainder. scores (N, E), result (N, E): e where expert e takes token n, else −1.
    /// </summary>
    public static Ints ChooseTokens(this Tensor scores, int active, int groups = 1, bool interleaved = false)
    {
        int E = scores.Shape.Last, N = scores.Count / E;
        Check.That(nameof(ChooseTokens), active >= 1 && active <= E && groups >= 1 && N % groups == 0,
            $"{N} tokens in {groups} equal groups, {active} of {E} experts per token, is impossible");
        Ints choices = scores.Tape.Ints(N * E);
        scores.Tape.Backend.ChooseTokens(scores.Data, N, E, groups, interleaved, active, choices);
        return choices;
    }

    /// <summary>The rows of a table of experts: choices[n] = table[ids[n]]. table (V, K), ids (N), result (N, K).</summary>
    public static Ints LookUpChoices(this Tape tape, Tensor table, Ints ids)
    {
        int V = table.Shape[0], K = table.Shape[1];
        Ints choices = tape.Ints(ids.Length * K);
        tape.Backend.LookUpChoices(table.Data, ids, ids.Length, V, K, choices);
        return choices;
    }

    /// <summary>
    /// The experts chosen in the chosen groups, as experts of all. groups (N, A); best (N·G,
    /// K), counted from 0 in each of G groups of M experts; result (N, A·K), group by group.
    /// </summary>
    public static Ints ChooseInGroups(this Tape tape, Ints groups, int A, Ints best, int K, int G, int M)
    {
        int N = groups.Length / A;
        Check.Length(nameof(ChooseInGroups), best, N * G * K);
        Ints choices = tape.Ints(N * A * K);
        tape.Backend.ChooseInGroups(groups, best, N, G, M, A, K, choices);
        return choices;
    }

    /// <summary>1 where a token chose an expert, 0 elsewhere; a constant. choices (N, K), result (N, E).</summary>
    public static Tensor OneHot(this Tape tape, Ints choices, int K, int E)
    {
        int N = choices.Length / K;
        Tensor ones = tape.Filled((N, K), 1f), oneHot = tape.Constant((N, E));
        tape.Backend.ScatterColumns(ones.Data, choices, N, E, K, oneHot.Data);
        return oneHot;
    }
}
