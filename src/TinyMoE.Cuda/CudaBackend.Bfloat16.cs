using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/bfloat16.cu
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    public override void RoundToBfloat16(Floats x, int n, Target y)
    {
        if (!y.IsNone)
            Launch("round_to_bfloat16", Grid.Elements(n), x, n, y);
    }

    /// <inheritdoc/>
    public override void PackBfloat16(Floats x, int n, Bfloat16s y) => Launch("pack_bfloat16", Grid.Elements(n), x, n, y);

    /// <inheritdoc/>
    public override void Convert(Values x, int n, Target y)
    {
        if (y.IsNone)
            return;
        switch (x.Type, y.Type)
        {
            case (ElementType.Float32, ElementType.Float32):
                Affine(x.Float32, 1f, 0f, n, y);
                break;
            case (ElementType.Float32, _):
                Launch("convert_wide_narrow", Grid.Elements(n), x.Float32, n, Argument.Typed(y));
                break;
            case (_, ElementType.Float32):
                Launch("convert_narrow_wide", Grid.Elements(n), x.Bfloat16, n, y);
                break;
            default:
                Launch("convert_narrow_narrow", Grid.Elements(n), x.Bfloat16, n, Argument.Typed(y));
                break;
        }
    }

    /// <summary>Whether these are all kept in bfloat16, those apart that are not there.</summary>
    private static bool AreNarrow(params ReadOnlySpan<Values> values)
    {
        bool any = false;
        foreach (Values one in values)
        {
            if (one.IsNone)
                continue;
            if (one.Type != ElementType.Bfloat16)
                return false;
            any = true;
        }

        return any;
    }

    /// <summary>An argument of a kernel for bfloat16; empty: none.</summary>
    private static Argument Narrow(Values values) => values.IsNone ? default(Bfloat16s) : values.Bfloat16;

    /// <inheritdoc cref="Narrow(Values)"/>
    private static Argument Narrow(Target target) => Argument.Typed(target);

    /// <summary>y = x, in 16 bits, as float32. x, y (n).</summary>
    private void Widen(Weights x, long n, Floats y)
    {
        if (x.Type == ElementType.Float16)
            WidenFloat16(x.Float16, n, y);
        else
            Launch("widen_bfloat16", Grid.Elements(n), x.Bfloat16, n, y);
    }
}
