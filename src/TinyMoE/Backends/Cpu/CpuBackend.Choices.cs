using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// Choices before they become a plan. Where something is ranked, value and place are packed into one number, so
/// that an ordinary sort of numbers gives the one order there is: larger values first, earlier places among equals.
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void CountChoices(Ints choices, int groups, int N, int K, int counted, int E, float scale, Target counts)
    {
        if (counts.IsNone)
            return;
        workers.For(groups, (choices, N, K, counted, E, scale, counts, workers), static (group, in s) =>
        {
            Span<int> sums = MemoryMarshal.Cast<float, int>(s.workers.ThreadScratch(s.E))[..s.E];
            sums.Clear();
            int* choices = s.choices.Pointer + (nint)group * s.N * s.K;
            for (int n = 0; n < s.N; n++, choices += s.K)
            {
                for (int k = 0; k < s.counted; k++)
                {
                    if (choices[k] != Dropped)
                        sums[choices[k]]++;
                }
            }

            Span<float> y = Row(s.counts.View, group, s.E);
            for (int e = 0; e < y.Length; e++)
                y[e] = s.counts.Adds ? y[e] + s.scale * sums[e] : s.scale * sums[e];
        });
    }

    /// <inheritdoc/>
    public override void KeepChoices(Ints choices, Floats keep, int n, Ints kept)
    {
        ForElements(n, (choices, keep, kept), static (start, end, in s) =>
        {
            for (int i = start; i < end; i++)
                s.kept.Pointer[i] = s.keep.Pointer[i] > 0f ? s.choices.Pointer[i] : Dropped;
        });
    }

    /// <inheritdoc/>
    public override void LimitCapacity(Ints choices, Floats priority, int N, int E, int K, int capacity, Ints kept)
    {
        kept.Span.Fill(Dropped);
        workers.For(E, (choices, priority, N, K, capacity, kept, workers), static (expert, in s) =>
        {
            Span<ulong> ranks = Ranks(s.workers, s.N * s.K);
            int wanted = 0;
            for (int k = 0; k < s.K; k++)
            {
                for (int n = 0; n < s.N; n++)
                {
                    int choice = n * s.K + k;
                    if (s.choices.Pointer[choice] == expert)
                        ranks[wanted++] = Rank(s.priority.IsNone ? 0f : s.priority.Pointer[choice], k * s.N + n);
                }
            }

            if (wanted > s.capacity && !s.priority.IsNone)
                ranks[..wanted].Sort();
            foreach (ulong rank in ranks[..Math.Min(wanted, s.capacity)])
            {
                var (k, n) = Math.DivRem(PlaceOf(rank), s.N);
                s.kept.Pointer[n * s.K + k] = expert;
            }
        });
    }

    /// <inheritdoc/>
    public override void ChooseTokens(Floats scores, int N, int E, int groups, bool interleaved, int active, Ints choices)
    {
        choices.Span.Fill(Dropped);
        workers.For(groups * E, (scores, N, E, groups, interleaved, active, choices, workers), static (piece, in s) =>
        {
            var (group, expert) = Math.DivRem(piece, s.E);
            int size = s.N / s.groups, first = s.interleaved ? group : group * size, step = s.interleaved ? s.groups : 1, found = 0;
            Span<ulong> ranks = Ranks(s.workers, size);
            for (int i = 0; i < size; i++)
            {
                int n = first + i * step;
                float score = s.scores.Pointer[n * s.E + expert];
                if (!(score < 0f))
                    ranks[found++] = Rank(score, n);
            }

            int capacity = Math.Min(found, Math.Max(1, (int)((long)found * s.active / s.E)));
            if (found > capacity)
                ranks[..found].Sort();
            foreach (ulong rank in ranks[..capacity])
                s.choices.Pointer[PlaceOf(rank) * s.E + expert] = expert;
        });
    }

    /// <inheritdoc/>
    public override void LookUpChoices(Floats table, Ints ids, int N, int V, int K, Ints choices)
    {
        for (int n = 0; n < N; n++)
        {
            Span<float> experts = Row(table, ids.Span[n], K);
            for (int k = 0; k < K; k++)
                choices.Pointer[n * K + k] = (int)experts[k];
        }
    }

    /// <inheritdoc/>
    public override void ChooseInGroups(Ints groups, Ints best, int N, int G, int M, int A, int K, Ints choices)
    {
        ForRows(N, A * K, (groups, best, G, M, A, K, choices), static (start, end, in s) =>
        {
            for (int n = start; n < end; n++)
            {
                for (int a = 0; a < s.A; a++)
                {
                    int group = s.groups.Pointer[n * s.A + a];
                    for (int k = 0; k < s.K; k++)
                        s.choices.Pointer[(n * s.A + a) * s.K + k] = group * s.M + s.best.Pointer[(n * s.G + group) * s.K + k];
                }
            }
        });
    }

    /// <summary>Room of a thread for <paramref name="count"/> ranks.</summary>
    private static Span<ulong> Ranks(Workers workers, int count) => MemoryMarshal.Cast<float, ulong>(workers.ThreadScratch(2 * count));

    /// <summary>A number that is the smaller the larger the value (not NaN), and among equals the smaller the place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Rank(float value, int place)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value + 0f); // −0 is 0
        uint rising = (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000; // in the order of the values
        return ((ulong)~rising << 32) | (uint)place;
    }

    /// <summary>The place of a rank.</summary>
    private static int PlaceOf(ulong rank) => (int)(uint)rank;
}
