using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// A row is one token: all its heads turn by the same angles, read once from
// the table. y may be x: both of a pair are read before either is written.
public sealed unsafe partial class CpuBackend
{
    /// <summary>Minus sines for the first of each pair of neighbours; constant data, which does not move.</summary>
    private static ReadOnlySpan<float> SignsOfPairs => [-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1];

    /// <inheritdoc/>
    protected override void Rope(Floats q, Floats k, Floats cos, Floats sin, in RopeSizes sizes, bool inverse, Target yq, Target yk)
    {
        if (!yq.IsNone)
            Turn(q, cos, sin, sizes, sizes.H, inverse, yq);
        if (!yk.IsNone)
            Turn(k, cos, sin, sizes, sizes.KvHeads, inverse, yk);
    }

    private void Turn(Floats x, Floats cos, Floats sin, in RopeSizes sizes, int heads, bool inverse, Target y)
    {
        (int N, int row, int turned, int rest) = (sizes.B * sizes.T, heads * sizes.D, sizes.Turned, sizes.D - sizes.Turned);
        if (sizes.Interleaved)
            ForRows(N, row, new RopeNeighboursLoop(x, cos, sin, sizes, heads, inverse, y), run: RunOf(turned, rest));
        else
            ForRows(N, row, new RopeLoop(x, cos, sin, sizes, heads, inverse, y), run: RunOf(turned / 2, rest));
    }

    /// <summary>What vectors must divide to be whole in runs of so many turned elements and in runs of the rest.</summary>
    private static int RunOf(int turned, int rest)
    {
        while (rest > 0)
            (turned, rest) = (rest, turned % rest); // the greatest common divisor (Euclid)
        return turned;
    }

    /// <summary>The elements of a head that are not turned, n of them: copied, or added, or in place already.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void KeepUnturned<TSimd, TVector>(float* x, float* y, int n, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        if (x == y && !adds)
            return;
        for (int i = 0; i < n; i += TSimd.Count)
            TSimd.Write(TSimd.Load(x + i, n - i), y + i, n - i, adds);
    }

    /// <summary>y = x·cos − x'·sin, y' = x'·cos + x·sin, the pair x, x' being
    /// half of what is turned apart; the inverse turns by −sin. Rows: tokens.</summary>
    private readonly record struct RopeLoop(Floats X, Floats Cos, Floats Sin, RopeSizes Sizes, int H, bool Inverse, Target Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int D = Sizes.D, T = Sizes.T, half = Sizes.Turned / 2, rest = D - Sizes.Turned;
            bool adds = Y.Adds;
            TVector direction = TSimd.Broadcast(Inverse ? -1f : 1f);
            float* x = X.Pointer + start * H * D, y = Y.View.Pointer + start * H * D;
            for (int n = start; n < end; n++)
            {
                float* cos = Cos.Pointer + (Sizes.Start + n % T) * half, sin = Sin.Pointer + (Sizes.Start + n % T) * half;
                for (int head = 0; head < H; head++, x += D, y += D)
                {
                    for (int i = 0; i < half; i += TSimd.Count)
                    {
                        int left = half - i;
                        TVector c = TSimd.Load(cos + i, left), s = TSimd.Multiply(TSimd.Load(sin + i, left), direction);
                        TVector a = TSimd.Load(x + i, left), b = TSimd.Load(x + half + i, left);
                        TSimd.Write(TSimd.Subtract(TSimd.Multiply(a, c), TSimd.Multiply(b, s)), y + i, left, adds);
                        TSimd.Write(TSimd.Add(TSimd.Multiply(b, c), TSimd.Multiply(a, s)), y + half + i, left, adds);
                    }

                    if (rest > 0)
                        KeepUnturned<TSimd, TVector>(x + 2 * half, y + 2 * half, rest, adds);
                }
            }
        }
    }

    /// <summary>The same of pairs that are neighbours: y = x·cos + x'·(∓sin), x' being the other of the pair, in one vector.</summary>
    private readonly record struct RopeNeighboursLoop(
        Floats X, Floats Cos, Floats Sin, RopeSizes Sizes, int H, bool Inverse, Target Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int D = Sizes.D, T = Sizes.T, turned = Sizes.Turned, half = turned / 2, rest = D - turned;
            bool adds = Y.Adds;
            TVector signs = TSimd.Multiply(
                TSimd.Load((float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(SignsOfPairs))), TSimd.Broadcast(Inverse ? -1f : 1f));
            float* x = X.Pointer + start * H * D, y = Y.View.Pointer + start * H * D;
            for (int n = start; n < end; n++)
            {
                float* cos = Cos.Pointer + (Sizes.Start + n % T) * half, sin = Sin.Pointer + (Sizes.Start + n % T) * half;
                for (int head = 0; head < H; head++, x += D, y += D)
                {
                    for (int i = 0; i < turned; i += TSimd.Count)
                    {
                        int left = turned - i;
                        TVector c = TSimd.LoadTwice(cos + i / 2, left / 2), s = TSimd.LoadTwice(sin + i / 2, left / 2);
                        TVector here = TSimd.Load(x + i, left), other = TSimd.SwapNeighbours(here);
                        TVector turn = TSimd.Multiply(other, TSimd.Multiply(s, signs));
                        TSimd.Write(TSimd.Add(TSimd.Multiply(here, c), turn), y + i, left, adds);
                    }

                    if (rest > 0)
                        KeepUnturned<TSimd, TVector>(x + turned, y + turned, rest, adds);
                }
            }
        }
    }
}
