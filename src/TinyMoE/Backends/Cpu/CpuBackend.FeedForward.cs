using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
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
            float* gate = s.gate.Pointer + start, up = s.up.Pointer + start, y = s.y.Pointer + start;
            if (Vector512.IsHardwareAccelerated)
                SwiGlu<Simd512, Vector512<float>>(gate, up, length, y);
            else
                SwiGlu<Simd256, Vector256<float>>(gate, up, length, y);
        });
    }

    /// <inheritdoc/>
    public override void SwiGluBackward(Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup)
    {
        ForElements(n, (dy, gate, up, n, dgate, dup), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            float* dy = s.dy.Pointer + start, gate = s.gate.Pointer + start, up = s.up.Pointer + start;
            Output dgate = new(s.dgate, start), dup = new(s.dup, start);
            if (Vector512.IsHardwareAccelerated)
                SwiGluBackward<Simd512, Vector512<float>>(dy, gate, up, length, dgate, dup);
            else
                SwiGluBackward<Simd256, Vector256<float>>(dy, gate, up, length, dgate, dup);
        });
    }

    private static void SwiGlu<TSimd, TVector>(float* gate, float* up, int n, float* y)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
        {
            TVector g = TSimd.Load(gate + i);
            TVector silu = TSimd.Multiply(g, SimdMath.Sigmoid<TSimd, TVector>(g));
            TSimd.Store(TSimd.Multiply(silu, TSimd.Load(up + i)), y + i);
        }

        for (; i < n; i++)
            y[i] = gate[i] * SimdMath.Sigmoid(gate[i]) * up[i];
    }

    // with σ = sigmoid(gate):  dgate = dy·up·σ·(1 + gate·(1 − σ)),   dup = dy·gate·σ
    private static void SwiGluBackward<TSimd, TVector>(float* dy, float* gate, float* up, int n, Output dgate, Output dup)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector one = TSimd.Broadcast(1f);
        int i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
        {
            TVector g = TSimd.Load(gate + i), sigmoid = SimdMath.Sigmoid<TSimd, TVector>(g);
            TVector scaled = TSimd.Multiply(TSimd.Load(dy + i), sigmoid);
            TVector slope = TSimd.MultiplyAdd(g, TSimd.Subtract(one, sigmoid), one);
            dgate.Put<TSimd, TVector>(i, TSimd.Multiply(TSimd.Multiply(scaled, TSimd.Load(up + i)), slope));
            dup.Put<TSimd, TVector>(i, TSimd.Multiply(scaled, g));
        }

        for (; i < n; i++)
        {
            float sigmoid = SimdMath.Sigmoid(gate[i]), scaled = dy[i] * sigmoid;
            dgate.Put(i, scaled * up[i] * (1f + gate[i] * (1f - sigmoid)));
            dup.Put(i, scaled * gate[i]);
        }
    }

    /// <summary>A target from an element on, for inner loops: nothing, a store or an addition.</summary>
    private readonly struct Output(Target target, int start)
    {
        private readonly float* destination = target.IsNone ? null : target.View.Pointer + start;
        private readonly bool adds = target.Adds;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Put<TSimd, TVector>(int i, TVector value)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            if (destination is not null)
                TSimd.Store(adds ? TSimd.Add(TSimd.Load(destination + i), value) : value, destination + i);
        }

        public void Put(int i, float value)
        {
            if (destination is not null)
                destination[i] = adds ? destination[i] + value : value;
        }
    }
}
