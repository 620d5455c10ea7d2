using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// bfloat16 is the upper half of a float32, rounded to the nearest, ties to the even one: to widen is to
// shift. Values are rounded in the pass that makes them and stay in float32 memory, where every kernel
// reads them; only weights are stored in 16 bits, and widened where a product reads or packs them.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void RoundToBfloat16(Floats x, int n, Target y)
    {
        if (!y.IsNone)
            ForElements(n, new RoundLoop(x, y));
    }

    /// <inheritdoc/>
    public override void PackBfloat16(Floats x, int n, Bfloat16s y) => ForElements(n, new PackLoop(x, y));

    /// <inheritdoc/>
    public override void Convert(Values x, int n, Target y)
    {
        if (!y.IsNone)
            ForElements(n, new ConvertLoop(x, y));
    }

    /// <summary>y = or += x, of any types: a sum is rounded once.</summary>
    private readonly record struct ConvertLoop(Values X, Target Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* wideX = (float*)X.Address, wideY = (float*)Y.Values.Address;
            ushort* narrowX = (ushort*)X.Address, narrowY = (ushort*)Y.Values.Address;
            bool fromNarrow = X.Type == ElementType.Bfloat16, toNarrow = Y.Type == ElementType.Bfloat16, adds = Y.Adds;
            int i = start;
            for (; i <= end - TSimd.Count; i += TSimd.Count)
            {
                TVector value = fromNarrow ? TSimd.LoadBfloat16(narrowX + i) : TSimd.Load(wideX + i);
                if (adds)
                    value = TSimd.Add(value, toNarrow ? TSimd.LoadBfloat16(narrowY + i) : TSimd.Load(wideY + i));
                if (toNarrow)
                    TSimd.StoreBfloat16(TSimd.RoundToBfloat16(value), narrowY + i);
                else
                    TSimd.Store(value, wideY + i);
            }

            for (; i < end; i++)
            {
                float value = fromNarrow ? Bfloat16.Widen(narrowX[i]) : wideX[i];
                if (adds)
                    value += toNarrow ? Bfloat16.Widen(narrowY[i]) : wideY[i];
                if (toNarrow)
                    narrowY[i] = Bfloat16.Narrow(value);
                else
                    wideY[i] = value;
            }
        }
    }

    /// <summary>y = or += round(x).</summary>
    private readonly record struct RoundLoop(Floats X, Target Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* x = X.Pointer, y = Y.View.Pointer;
            bool adds = Y.Adds;
            for (int i = start; i < end; i += TSimd.Count)
                TSimd.Write(TSimd.RoundToBfloat16(TSimd.Load(x + i, end - i)), y + i, end - i, adds);
        }
    }

    /// <summary>y = x in 16 bits.</summary>
    private readonly record struct PackLoop(Floats X, Bfloat16s Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* x = X.Pointer;
            ushort* y = Y.Pointer;
            int i = start;
            for (; i <= end - TSimd.Count; i += TSimd.Count)
                TSimd.StoreBfloat16(TSimd.RoundToBfloat16(TSimd.Load(x + i)), y + i);
            for (; i < end; i++)
                y[i] = Bfloat16.Narrow(x[i]);
        }
    }
}
