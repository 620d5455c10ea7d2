using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>x rounded to the nearest bfloat16, the even one of two as near;
    /// it stays in float32 memory, and its gradient is rounded too.</summary>
    public static Tensor RoundToBfloat16(this Tensor x) => x.Tape.RoundToBfloat16(x);

    /// <summary>The values in bfloat16 of a parameter, which rides on no tape; one that is kept in bfloat16 is itself.</summary>
    public static Tensor RoundToBfloat16(this Tape tape, Tensor x)
    {
        if (x.Type == ElementType.Bfloat16 || x.Weights.Type == ElementType.Bfloat16)
            return x;
        Tensor y = tape.New(x.Shape);
        tape.Backend.RoundToBfloat16(x.Data, x.Count, y.Data);

        // straight through, as every cast has it, and as coarse: dx = round(dy)
        return tape.Record(nameof(RoundToBfloat16), y, x, static (y, x) =>
            y.Tape.Backend.RoundToBfloat16(y.Grad, x.Count, x.GradTarget()));
    }

    /// <summary>x in float32: itself where it is, else widened. What has no kernel for bfloat16 begins with this.</summary>
    public static Tensor ToFloat32(this Tensor x) => x.To(ElementType.Float32);

    /// <summary>x in bfloat16, 16 bits of memory: itself where it is, else rounded to the nearest, the even one of two as near.</summary>
    public static Tensor ToBfloat16(this Tensor x) => x.To(ElementType.Bfloat16);

    private static Tensor To(this Tensor x, ElementType type)
    {
        if (x.Type == type)
            return x;

        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape, type);
        tape.Backend.Convert(x.Values, x.Count, y.Values);

        // dx = dy, in the type of x
        return tape.Record(type == ElementType.Float32 ? nameof(ToFloat32) : nameof(ToBfloat16), y, x, static (y, x) =>
            y.Tape.Backend.Convert(y.GradValues, x.Count, x.GradTarget()));
    }
}
