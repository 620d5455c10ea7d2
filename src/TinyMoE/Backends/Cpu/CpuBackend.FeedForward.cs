using System.Numerics;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void SwiGluForward(Floats gate, Floats up, int n, Floats y)
    {
        ForElements(n, (gate, up, n, y), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            SwiGluRow(s.gate.Pointer + start, s.up.Pointer + start, length, s.y.Pointer + start);
        });
    }

    private static void SwiGluRow(float* gate, float* up, int n, float* y)
    {
        for (int i = 0; i < n; i += Lanes.Width)
        {
            Vector<float> g = Lanes.Load(gate + i, n - i);
            Lanes.Store(g * VectorMath.Sigmoid(g) * Lanes.Load(up + i, n - i), y + i, n - i);
        }
    }

    /// <inheritdoc/>
    public override void SwiGluBackward(Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup)
    {
        // with σ = sigmoid(gate):  dgate = dy·up·σ·(1 + gate·(1 − σ)),   dup = dy·gate·σ
        ForElements(n, (dy, gate, up, n, dgate, dup), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            float* dy = s.dy.Pointer + start, gate = s.gate.Pointer + start, up = s.up.Pointer + start;
            float* dgate = At(s.dgate, start), dup = At(s.dup, start);
            for (int i = 0; i < length; i += Lanes.Width)
            {
                int left = length - i;
                Vector<float> g = Lanes.Load(gate + i, left), sigmoid = VectorMath.Sigmoid(g), scaled = Lanes.Load(dy + i, left) * sigmoid;
                if (dgate is not null)
                    Lanes.Write(scaled * Lanes.Load(up + i, left) * Vector.FusedMultiplyAdd(g, Vector<float>.One - sigmoid, Vector<float>.One), dgate + i, left, s.dgate.Adds);
                if (dup is not null)
                    Lanes.Write(scaled * g, dup + i, left, s.dup.Adds);
            }
        });
    }
}
