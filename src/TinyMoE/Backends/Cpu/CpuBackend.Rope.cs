using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// A row is one token: all its heads turn by the same angles, read once from
// the table. y may be x: both of a pair are read before either is written.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void Rope(
        Floats q, Floats k, Floats cos, Floats sin, int B, int T, int H, int KvHeads, int D, int start, bool inverse, Target yq, Target yk)
    {
        if (!yq.IsNone)
            ForRows(B * T, H * D, new RopeLoop(q, cos, sin, T, H, D, start, inverse, yq), run: D / 2);
        if (!yk.IsNone)
            ForRows(B * T, KvHeads * D, new RopeLoop(k, cos, sin, T, KvHeads, D, start, inverse, yk), run: D / 2);
    }

    /// <summary>y = x·cos − x'·sin, y' = x'·cos + x·sin, the pair x, x' being
    /// half a head apart; the inverse turns by −sin. Rows: tokens.</summary>
    private readonly record struct RopeLoop(
        Floats X, Floats Cos, Floats Sin, int T, int H, int D, int Start, bool Inverse, Target Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int D = this.D, half = D / 2;
            bool adds = Y.Adds;
            TVector direction = TSimd.Broadcast(Inverse ? -1f : 1f);
            float* x = X.Pointer + start * H * D, y = Y.View.Pointer + start * H * D;
            for (int n = start; n < end; n++)
            {
                float* cos = Cos.Pointer + (Start + n % T) * half, sin = Sin.Pointer + (Start + n % T) * half;
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
                }
            }
        }
    }
}
