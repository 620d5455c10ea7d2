using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// SwiGLU in one pass each way. What bounds it is the exponential in the forward
// and memory in the backward, which takes the sigmoid again rather than store it.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void SwiGluForward(Floats gate, Floats up, int n, Floats y) => ForElements(n, new SwiGluLoop(gate, up, y));

    /// <inheritdoc/>
    public override void SwiGluBackward(
        Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup, ElementType precision = ElementType.Float32) =>
        ForElements(n, new SwiGluBackwardLoop(dy, gate, up, dgate, dup, precision));

    /// <summary>y = gate·sigmoid(gate)·up.</summary>
    private readonly record struct SwiGluLoop(Floats Gate, Floats Up, Floats Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* gate = Gate.Pointer, up = Up.Pointer, y = Y.Pointer;
            for (int i = start; i < end; i += TSimd.Count)
            {
                int left = end - i;
                TVector g = TSimd.Load(gate + i, left), silu = TSimd.Multiply(g, SimdMath.Sigmoid<TSimd, TVector>(g));
                TSimd.Store(TSimd.Multiply(silu, TSimd.Load(up + i, left)), y + i, left);
            }
        }
    }

    /// <summary>With σ = sigmoid(gate): dgate = dy·up·σ·(1 + gate·(1 − σ)), dup = dy·gate·σ.</summary>
    private readonly record struct SwiGluBackwardLoop(
        Floats Dy, Floats Gate, Floats Up, Target Dgate, Target Dup, ElementType Precision) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* dy = Dy.Pointer, gate = Gate.Pointer, up = Up.Pointer, dgate = Dgate.View.Pointer, dup = Dup.View.Pointer;
            bool dgateAdds = Dgate.Adds, dupAdds = Dup.Adds, rounds = Precision == ElementType.Bfloat16;
            TVector one = TSimd.Broadcast(1f);
            for (int i = start; i < end; i += TSimd.Count)
            {
                int left = end - i;
                TVector g = TSimd.Load(gate + i, left), sigmoid = SimdMath.Sigmoid<TSimd, TVector>(g),
                    scaled = TSimd.Multiply(TSimd.Load(dy + i, left), sigmoid);
                if (dgate is not null)
                {
                    TVector slope = TSimd.MultiplyAdd(g, TSimd.Subtract(one, sigmoid), one);
                    TVector dgateHere = TSimd.Multiply(TSimd.Multiply(scaled, TSimd.Load(up + i, left)), slope);
                    TSimd.Write(rounds ? TSimd.RoundToBfloat16(dgateHere) : dgateHere, dgate + i, left, dgateAdds);
                }

                if (dup is not null)
                {
                    TVector dupHere = TSimd.Multiply(scaled, g);
                    TSimd.Write(rounds ? TSimd.RoundToBfloat16(dupHere) : dupHere, dup + i, left, dupAdds);
                }
            }
        }
    }
}
