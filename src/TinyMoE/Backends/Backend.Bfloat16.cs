using TinyMoE.Memory;

namespace TinyMoE.Backends;

// bfloat16: to the nearest, ties to the even one, NaN stays NaN.
public abstract partial class Backend
{
    /// <summary>y = x rounded to bfloat16, in float32 memory. x, y (n); a stored y may be x itself.</summary>
    public abstract void RoundToBfloat16(Floats x, int n, Target y);

    /// <summary>y = x in 16 bits. x, y (n).</summary>
    public abstract void PackBfloat16(Floats x, int n, Bfloat16s y);

    /// <summary>y = x in the type of y, whatever that of x: widened exactly, or rounded. x, y (n).</summary>
    public abstract void Convert(Values x, int n, Target y);
}
