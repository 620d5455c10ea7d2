using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void RmsNormForward(Floats x, Floats w, int N, int C, float eps, Floats y, Floats r)
    {
        ForRows(N, C, (x, w, N, C, eps, y, r), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            for (int n = start; n < end; n++)
            {
                Span<float> x = s.x.Slice(n * s.C, s.C).Span, y = s.y.Slice(n * s.C, s.C).Span;
                float r = 1f / MathF.Sqrt(TensorPrimitives.SumOfSquares<float>(x) / s.C + s.eps);
                TensorPrimitives.Multiply(x, r, y);
                TensorPrimitives.Multiply(y, s.w.Span, y);
                s.r.Span[n] = r;
            }
        });
    }

    /// <inheritdoc/>
    public override void RmsNormBackward(Floats dy, Floats x, Floats w, Floats r, int N, int C, Target dx, Target dw)
    {
        if (!dx.IsNone)
        {
            ForRows(N, C, (dy, x, w, r, N, C, dx), static (piece, in s) =>
            {
                var (start, end) = RowRange(piece, s.N, s.C);
                ReadOnlySpan<float> w = s.w.Span;
                for (int n = start; n < end; n++)
                {
                    Span<float> dy = s.dy.Slice(n * s.C, s.C).Span, x = s.x.Slice(n * s.C, s.C).Span, dx = s.dx.View.Slice(n * s.C, s.C).Span;
                    float r = s.r.Span[n], dot = 0f;
                    for (int c = 0; c < x.Length; c++)
                        dot += dy[c] * w[c] * x[c];
                    float shift = dot * r * r * r / s.C;
                    if (s.dx.Adds)
                    {
                        for (int c = 0; c < dx.Length; c++)
                            dx[c] += r * dy[c] * w[c] - shift * x[c];
                    }
                    else
                    {
                        for (int c = 0; c < dx.Length; c++)
                            dx[c] = r * dy[c] * w[c] - shift * x[c];
                    }
                }
            });
        }
    }
}
