using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Which experts a token is to have, −1 for one that it does not get.
public abstract partial class Backend
{
    /// <summary>counts[g, e] = scale·how often e is among the first <paramref name="counted"/>
    /// choices of the tokens of group g. choices (groups, N, K), counts (groups, E).</summary>
    public abstract void CountChoices(Ints choices, int groups, int N, int K, int counted, int E, float scale, Target counts);

    /// <summary>kept = keep &gt; 0 ? choices : −1. choices, keep, kept (n); kept may be choices itself.</summary>
    public abstract void KeepChoices(Ints choices, Floats keep, int n, Ints kept);

    /// <summary>
    /// Each expert keeps <paramref name="capacity"/> of the choices that want it, the rest become −1: larger
    /// priority first, among equals (all, where there is no priority) first choices before second ones, then
    /// earlier tokens. choices, priority, kept (N, K); priority may be empty; kept is not choices.
    /// </summary>
    public abstract void LimitCapacity(Ints choices, Floats priority, int N, int E, int K, int capacity, Ints kept);

    /// <summary>
    /// Each expert takes, of each group of tokens, those with its largest scores, the earlier among equals: max(1,
    /// ⌊m·active/E⌋) of the m whose score is not below 0. Group g is the tokens g·N/groups and on, or,
    /// <paramref name="interleaved"/>, the tokens n with n mod groups = g. scores (N, E), choices (N, E): e or −1 at [n, e].
    /// </summary>
    public abstract void ChooseTokens(Floats scores, int N, int E, int groups, bool interleaved, int active, Ints choices);

    /// <summary>choices[n] = table[ids[n]], a row of K experts as numbers. table (V, K), ids (N), choices (N, K).</summary>
    public abstract void LookUpChoices(Floats table, Ints ids, int N, int V, int K, Ints choices);

    /// <summary>
    /// The experts chosen in the chosen groups, as experts of all: choices[n, a, k] = g·M + best[n, g, k], g =
    /// groups[n, a]. groups (N, A), best (N, G, K) counted from 0 in each group of M experts, choices (N, A, K).
    /// </summary>
    public abstract void ChooseInGroups(Ints groups, Ints best, int N, int G, int M, int A, int K, Ints choices);
}
