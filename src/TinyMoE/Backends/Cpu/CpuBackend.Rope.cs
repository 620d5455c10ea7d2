using System.Numerics;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void Rope(Floats x, Floats cos, Floats sin, int B, int T, int H, int D, int start, bool inverse, Target y)
    {
        if (y.IsNone)
            return;
        ForRows(B * T, H * D, (x, cos, sin, B, T, H, D, start, inverse, y), static (piece, in s) =>
        {
            var (first, end) = RowRange(piece, s.B * s.T, s.H * s.D);
            int half = s.D / 2;
            for (int n = first; n < end; n++)
            {
                int position = s.start + n % s.T;
                float* cos = s.cos.Slice(position * half, half).Pointer, sin = s.sin.Slice(position * half, half).Pointer;
                for (int head = n * s.H; head < (n + 1) * s.H; head++)
                    Rotate(s.x.Pointer + head * s.D, cos, sin, half, s.inverse ? -1f : 1f, s.y.View.Pointer + head * s.D, s.y.Adds);
            }
        });
    }

    // y = x·cos − x'·sin,   y' = x'·cos + x·sin,   the pair x, x' being half a head apart; the inverse turns by −sin
    private static void Rotate(float* x, float* cos, float* sin, int half, float direction, float* y, bool adds)
    {
        int i = 0;
        for (; i <= half - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> c = Vector.Load(cos + i), s = Vector.Load(sin + i) * direction, a = Vector.Load(x + i), b = Vector.Load(x + half + i);
            Vector<float> low = a * c - b * s, high = b * c + a * s;
            if (adds)
                (low, high) = (low + Vector.Load(y + i), high + Vector.Load(y + half + i));
            low.Store(y + i);
            high.Store(y + half + i);
        }

        for (; i < half; i++)
        {
            float c = cos[i], s = sin[i] * direction, low = x[i] * c - x[half + i] * s, high = x[half + i] * c + x[i] * s;
            y[i] = adds ? y[i] + low : low;
            y[half + i] = adds ? y[half + i] + high : high;
        }
    }
}
