using System.Runtime.InteropServices;
using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Kernels: native/kernels/decode.cu. Grids and scratch depend on the room of the cache and the vocabulary only, never on how far the text
// has come: what is launched for one token serves for the next.
public sealed unsafe partial class CudaBackend
{
    private const int KeysOfChunk = 128;
    private const int NewTokenThreads = 128;
    private const int MostHeadsOfBlock = 4;
    private const int RunOfCandidates = 2048;
    private const int ChoiceThreads = 1024;

    /// <inheritdoc/>
    public override void AttendNewToken(
        Values q, Values k, Values v, Floats cos, Floats sin, Floats sinks, in NewTokenSizes sizes, DecodeState state, Values keys,
        Values values, Values y)
    {
        (int H, int KvHeads, int D, _, _, int window, int room, _) = sizes;
        int chunks = Ceiling.Divide(room, KeysOfChunk), sharing = H / KvHeads;
        bool isNarrow = AreNarrow(q, k, v, keys, values, y);
        DeviceBuffer scratch = Pool.Rent((long)chunks * H * (D + 2) * sizeof(float), "attention of a new token");
        Floats all = scratch.As<float>(chunks * H * (D + 2));
        Floats parts = all.Slice(0, chunks * H * D);
        Floats tops = all.Slice(parts.Length, chunks * H), totals = all.Slice(parts.Length + tops.Length, chunks * H);
        NewToken token = new(sizes);
        Grid grid = new(chunks, KvHeads * Ceiling.Divide(sharing, MostHeadsOfBlock), Threads: NewTokenThreads);
        if (isNarrow)
        {
            Launch(
                sharing == 1 ? "attend_new_bfloat16_1" : "attend_new_bfloat16_4", grid, Narrow(q), Narrow(k), Narrow(v), cos, sin,
                Argument.At(&token), state.Numbers, Narrow(keys), Narrow(values), parts, tops, totals);
            Launch("attend_new_join_bfloat16", new Grid(H, Threads: NewTokenThreads), parts, tops, totals, sinks, H, D, window,
                state.Numbers, Narrow(y));
        }
        else
        {
            Launch(
                sharing == 1 ? "attend_new_1" : "attend_new_4", grid, q.Float32, k.Float32, v.Float32, cos, sin, Argument.At(&token),
                state.Numbers, keys.Float32, values.Float32, parts, tops, totals);
            Launch("attend_new_join", new Grid(H, Threads: NewTokenThreads), parts, tops, totals, sinks, H, D, window, state.Numbers,
                y.Float32);
        }

        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void AttendNewTokens(
        Values q, Values k, Values v, Floats sinks, in AttentionSizes sizes, ReadOnlySpan<CachedRows> caches, Values y) =>
        AttendOneByOne(q, k, v, sinks, in sizes, caches, y); // by the kernels that a sequence alone has, which keeps its bits

    /// <inheritdoc/>
    public override void ChooseToken(Floats logits, Ints ids, Ints seen, in SamplingRules rules, DecodeState state)
    {
        int V = logits.Length, W = ids.IsNone ? V : ids.Length, runs = Ceiling.Divide(V, RunOfCandidates);
        int kept = rules.TopK > 0 ? Math.Min(rules.TopK, W) : W;
        bool isGreedy = rules.Temperature == 0f;
        Candidates candidates = new(logits.Address, ids.Address, seen.Address, V, W, rules.RepetitionPenalty);
        Choice choice = new(rules.Temperature, rules.TopP, rules.MinP);
        DeviceBuffer failedScratch = Pool.Rent((long)runs * sizeof(int), "choice of a token");
        DeviceBuffer rankScratch = Pool.Rent((isGreedy ? runs : 2L * W) * sizeof(ulong), "choice of a token");
        DeviceBuffer? weightScratch = isGreedy ? null : Pool.Rent((long)kept * sizeof(float), "choice of a token");
        Ints failed = failedScratch.As<int>(runs);
        View<ulong> ranks = rankScratch.As<ulong>(isGreedy ? runs : 2 * W), best = ranks;
        if (isGreedy)
            Launch("choose_survey", new Grid(runs), Argument.At(&candidates), ranks, failed);
        else
            ranks = SortRanks(candidates, runs, kept, ranks, failed);
        Launch("choose_token", new Grid(1, Threads: ChoiceThreads), best, failed, runs, ranks, kept, Argument.At(&choice),
            RandomStream.Of(rules.Key(index: 0), first: 0), ids, seen, weightScratch?.As<float>(kept) ?? default, state.Remembered,
            state.Numbers);
        Pool.Return(failedScratch);
        Pool.Return(rankScratch);
        if (weightScratch is not null)
            Pool.Return(weightScratch);
    }

    /// <summary>The ranks of the kept candidates in order, in either half of <paramref name="both"/>.</summary>
    private View<ulong> SortRanks(Candidates candidates, int runs, int kept, View<ulong> both, Ints failed)
    {
        int W = candidates.W;
        View<ulong> ranks = both.Slice(0, W), merged = both.Slice(W, W);
        Launch("choose_sort", new Grid(runs, Threads: RunOfCandidates / 2), Argument.At(&candidates), ranks, failed);
        for (int run = RunOfCandidates; run < W; run *= 2)
        {
            Launch("choose_merge", Grid.Elements(W, each: 1), ranks, W, run, kept, merged);
            (ranks, merged) = (merged, ranks);
        }

        return ranks;
    }

    /// <summary>struct NewToken of decode.cu.</summary>
    private readonly record struct NewToken(
        int H, int KvHeads, int D, int Turned, int Interleaved, int Window, int Room, float Factor)
    {
        public NewToken(in NewTokenSizes s)
            : this(s.H, s.KvHeads, s.D, s.Turned, s.Interleaved ? 1 : 0, s.Window, s.Room, s.Factor)
        {
        }
    }

    /// <summary>struct Candidates of decode.cu.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Candidates(nint Logits, nint Ids, nint Seen, int V, int W, float Penalty);

    /// <summary>struct Rules of decode.cu.</summary>
    private readonly record struct Choice(float Temperature, float TopP, float MinP);
}
