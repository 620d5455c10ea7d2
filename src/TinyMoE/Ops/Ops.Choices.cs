using TinyMoE.Tensors;

namespace TinyMoE.Ops;

/// <remarks>Which experts a token is to have: ints (T, K), −1 for a choice that
/// is dropped. Ints have no gradient; the gates of the choices do.</remarks>
public static partial class Ops
{
    /// <summary>How often each expert is among the first <paramref name="counted"/> choices, times <paramref name="scale"/>,
    /// in each of <paramref name="groups"/> equal runs of tokens. choices (T, K); result (groups, E), a constant.</summary>
    public static Tensor CountChoices(this Tape tape, Ints choices, int K, int E, int counted, float scale, int groups = 1)
    {
        int T = choices.Length / K;
        Check.That(nameof(CountChoices), counted >= 1 && counted <= K && T % groups == 0,
            $"the first 1 to {K} choices of {T} tokens in equal groups, not {counted} in {groups}");
        Tensor counts = tape.Constant((groups, E));
        tape.Backend.CountChoices(choices, groups, T / groups, K, counted, E, scale, counts.Data);
        return counts;
    }

    /// <summary>The choices whose <paramref name="keep"/> is above 0; the others are −1. choices, keep, result (T, K).</summary>
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
    /// first choices before second ones, then earlier tokens. choices, priority, result (T, K).
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
    /// Experts choose tokens: of the n tokens of a group whose scores are not below 0 each takes max(1, ⌊n·active/E⌋),
    /// those with its largest scores. Groups are equal runs of tokens, or, <paramref name="interleaved"/>, the tokens
    /// of equal remainder. scores (T, E), result (T, E): e where expert e takes token t, else −1.
    /// </summary>
    public static Ints ChooseTokens(this Tensor scores, int active, int groups = 1, bool interleaved = false)
    {
        int E = scores.Shape.Last, T = scores.Count / E;
        Check.That(nameof(ChooseTokens), active >= 1 && active <= E && groups >= 1 && T % groups == 0,
            $"{T} tokens in {groups} equal groups, {active} of {E} experts per token, is impossible");
        Ints choices = scores.Tape.Ints(T * E);
        scores.Tape.Backend.ChooseTokens(scores.Data, T, E, groups, interleaved, active, choices);
        return choices;
    }

    /// <summary>The rows of a table of experts: choices[t] = table[ids[t]]. table (V, K), ids (T), result (T, K).</summary>
    public static Ints LookUpChoices(this Tape tape, Tensor table, Ints ids)
    {
        int V = table.Shape[0], K = table.Shape[1];
        Ints choices = tape.Ints(ids.Length * K);
        tape.Backend.LookUpChoices(table.Data, ids, ids.Length, V, K, choices);
        return choices;
    }

    /// <summary>
    /// The experts chosen in the chosen groups, as experts of all. groups (T, A); best (T·G,
    /// K), counted from 0 in each of G groups of M experts; result (T, A·K), group by group.
    /// </summary>
    public static Ints ChooseInGroups(this Tape tape, Ints groups, int A, Ints best, int K, int G, int M)
    {
        int T = groups.Length / A;
        Check.Length(nameof(ChooseInGroups), best, T * G * K);
        Ints choices = tape.Ints(T * A * K);
        tape.Backend.ChooseInGroups(groups, best, T, G, M, A, K, choices);
        return choices;
    }

    /// <summary>1 where a token chose an expert, 0 elsewhere; a constant. choices (T, K), result (T, E).</summary>
    public static Tensor OneHot(this Tape tape, Ints choices, int K, int E)
    {
        int T = choices.Length / K;
        Tensor ones = tape.Filled((T, K), 1f), oneHot = tape.Constant((T, E));
        tape.Backend.ScatterColumns(ones.Data, choices, T, E, K, oneHot.Data);
        return oneHot;
    }
}
