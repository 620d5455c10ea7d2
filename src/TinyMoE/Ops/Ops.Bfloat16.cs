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
        if (x.Weights.Type == ElementType.Bfloat16)
            return x;
        Tensor y = tape.New(x.Shape);
        tape.Backend.RoundToBfloat16(x.Data, x.Count, y.Data);

        // straight through, as every cast has it, and as coarse: dx = round(dy)
        return tape.Record(nameof(RoundToBfloat16), y, () => tape.Backend.RoundToBfloat16(y.Grad, x.Count, x.GradTarget()));
    }
}
