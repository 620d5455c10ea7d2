using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// Attention of one query, as in generation: nothing can be shared between queries, so that keys and values are read where they lie, once.
public sealed unsafe partial class CpuBackend
{
    private const int KeysBefore = 12; // that a key is asked for before it is met

    /// <summary>One query of one head, as in generation: dot products with the
    /// keys, a softmax along them, a weighted sum of the values.</summary>
    private static void AttendOne<TSimd, TVector>(
        AttentionHead head, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, Workers workers)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        (_, _, int S, _, _, int D, int window) = head.Sizes;
        int low = window > 0 ? Math.Max(0, S - window) : 0, keys = S - low, padded = Ceiling.Multiple(keys, TSimd.Count);
        float* scores = Scratch(workers, padded);
        float* query = q.Pointer + head.Query, key = k.Pointer + head.Key + low * head.KeyRow;
        float scale = Log2E / MathF.Sqrt(D);
        int met = 0;
        float* value = v.Pointer + head.Value + low * head.ValueRow;
        for (; met <= keys - 4; met += 4, key += 4 * head.KeyRow)
        {
            // The rows of a cache lie apart, and not all processors foresee them: keys of a while later, and the values of these.
            for (int next = 0; next < 4; next++, value += head.ValueRow)
            {
                AskForRow(key + (KeysBefore + next) * head.KeyRow, D);
                AskForRow(value, head.Sizes.ValueSize);
            }

            (DotsWithFour<TSimd, TVector>(query, key, head.KeyRow, D) * scale).Store(scores + met);
        }

        for (; met < keys; met++, key += head.KeyRow)
            scores[met] = Dot<TSimd, TVector>(query, key, D) * scale;

        // With one query there is nothing to lay across the lanes but the keys themselves. The
        // last vector is filled up with −∞: its weights are exactly 0, so no loop needs a tail.
        new Span<float>(scores + keys, padded - keys).Fill(float.NegativeInfinity);
        float max = LargestOfWhole<TSimd, TVector>(scores, padded);
        TVector sum = TSimd.Broadcast(0f);
        for (int s = 0; s < padded; s += TSimd.Count)
        {
            TVector weight = SimdMath.Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + s), TSimd.Broadcast(max)));
            sum = TSimd.Add(sum, weight);
            TSimd.Store(weight, scores + s);
        }

        float total = TSimd.Sum(sum);
        float* output = y.Pointer + head.Output, values = v.Pointer + head.Value + low * head.ValueRow;
        int valueSize = head.Sizes.ValueSize;
        Product<TSimd, TVector>(scores, 0, 1, values, head.ValueRow, 1, valueSize, keys, output, valueSize, adds: false);
        float share = 1f / total;
        PutRows<TSimd, TVector>(output, valueSize, 1, valueSize, &share, 0, output, valueSize, adds: false);
        logSumExp.Span[head.Index] = (max + MathF.Log2(total)) * Ln2;
    }

    /// <summary>Asks for the lines of a row of n floats, which may lie beyond all memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AskForRow(float* row, int n)
    {
        for (int i = 0; i < n; i += Caches.Line / sizeof(float))
            AskFor(row + i);
    }

    /// <summary>The products of a query of n whole vectors with four keys, each as <see cref="Dot"/> adds it up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> DotsWithFour<TSimd, TVector>(float* query, float* key, int keyRow, int n)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector s0 = TSimd.Broadcast(0f), s1 = s0, s2 = s0, s3 = s0;
        for (int i = 0; i < n; i += TSimd.Count, key += TSimd.Count)
        {
            TVector q = TSimd.Load(query + i);
            s0 = TSimd.MultiplyAdd(q, TSimd.Load(key), s0);
            s1 = TSimd.MultiplyAdd(q, TSimd.Load(key + keyRow), s1);
            s2 = TSimd.MultiplyAdd(q, TSimd.Load(key + 2 * keyRow), s2);
            s3 = TSimd.MultiplyAdd(q, TSimd.Load(key + 3 * keyRow), s3);
        }

        return TSimd.SumFour(s0, s1, s2, s3);
    }
}
