using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// SwiGLU in one pass each way. What bounds it is the exponential in the forward
// and memory in the backward, which takes the sigmoid again rather than store it.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    protected override void SwiGluForward(Floats gate, Floats up, int n, Floats y) => ForElements(n, new SwiGluLoop(gate, up, y));

    /// <inheritdoc/>
    protected override void SwiGluBackward(
        Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup, ElementType precision = ElementType.Float32) =>
        ForElements(n, new SwiGluBackwardLoop(dy, gate, up, dgate, dup, precision));

    /// <inheritdoc/>
    protected override void ClampedSwiGluForward(Floats gate, Floats up, float limit, float alpha, int n, Floats y) =>
        ForElements(n, new ClampedSwiGluLoop(gate, up, limit, alpha, y));

    /// <inheritdoc/>
    protected override void ClampedSwiGluBackward(
        Floats dy, Floats gate, Floats up, float limit, float alpha, int n, Target dgate, Target dup) =>
        ForElements(n, new ClampedSwiGluBackwardLoop(dy, gate, up, limit, alpha, dgate, dup));

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

    /// <summary>With g = min(gate, limit), u = up within ±limit: y = g·sigmoid(alpha·g)·(u + 1). NaN stays NaN.</summary>
    private readonly record struct ClampedSwiGluLoop(Floats Gate, Floats Up, float Limit, float Alpha, Floats Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* gate = Gate.Pointer, up = Up.Pointer, y = Y.Pointer;
            TVector one = TSimd.Broadcast(1f), high = TSimd.Broadcast(Limit), low = TSimd.Broadcast(-Limit), alpha = TSimd.Broadcast(Alpha);
            for (int i = start; i < end; i += TSimd.Count)
            {
                int left = end - i;
                TVector g = TSimd.Min(high, TSimd.Load(gate + i, left)), u = TSimd.Max(low, TSimd.Min(high, TSimd.Load(up + i, left)));
                TVector sigmoid = SimdMath.Sigmoid<TSimd, TVector>(TSimd.Multiply(alpha, g));
                TSimd.Store(TSimd.Multiply(TSimd.Multiply(g, sigmoid), TSimd.Add(u, one)), y + i, left);
            }
        }
    }

    /// <summary>
    /// With σ = sigmoid(alpha·g): dgate = dy·(u + 1)·σ·(1 + alpha·g·(1 − σ)) where gate ≤ limit, dup = dy·g·σ where |up| ≤ limit.
    /// </summary>
    private readonly record struct ClampedSwiGluBackwardLoop(
        Floats Dy, Floats Gate, Floats Up, float Limit, float Alpha, Target Dgate, Target Dup) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* dy = Dy.Pointer, gate = Gate.Pointer, up = Up.Pointer, dgate = Dgate.View.Pointer, dup = Dup.View.Pointer;
            bool dgateAdds = Dgate.Adds, dupAdds = Dup.Adds;
            TVector zero = TSimd.Broadcast(0f), one = TSimd.Broadcast(1f), alpha = TSimd.Broadcast(Alpha);
            TVector high = TSimd.Broadcast(Limit), low = TSimd.Broadcast(-Limit);
            for (int i = start; i < end; i += TSimd.Count)
            {
                int left = end - i;
                TVector given = TSimd.Load(gate + i, left), g = TSimd.Min(high, given), scaledGate = TSimd.Multiply(alpha, g);
                TVector sigmoid = SimdMath.Sigmoid<TSimd, TVector>(scaledGate);
                TVector scaled = TSimd.Multiply(TSimd.Load(dy + i, left), sigmoid), givenUp = TSimd.Load(up + i, left);
                if (dgate is not null)
                {
                    TVector u = TSimd.Max(low, TSimd.Min(high, givenUp));
                    TVector slope = TSimd.MultiplyAdd(scaledGate, TSimd.Subtract(one, sigmoid), one);
                    TVector here = TSimd.Multiply(TSimd.Multiply(scaled, TSimd.Add(u, one)), slope);
                    TSimd.Write(TSimd.WhereLess(high, given, zero, here), dgate + i, left, dgateAdds);
                }

                if (dup is not null)
                {
                    TVector here = TSimd.WhereLess(high, TSimd.Abs(givenUp), zero, TSimd.Multiply(scaled, g));
                    TSimd.Write(here, dup + i, left, dupAdds);
                }
            }
        }
    }
}
