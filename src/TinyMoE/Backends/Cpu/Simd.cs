using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// A vector width as a type argument. A kernel written once over (TSimd, TVector) is compiled once for each
/// of 128, 256 and 512 bits, every call below becoming one instruction or a few. Loads and stores that are
/// told how many floats are left take part of a vector where fewer than a whole one is: so a kernel is one
/// loop, <c>for (int i = start; i &lt; end; i += TSimd.Count)</c>, with no second loop for the tail.
/// </summary>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Count { get; }

    /// <summary>Vector registers that the processor has of this width.</summary>
    static abstract int Registers { get; }

    /// <summary>0, 1, 2, ...</summary>
    static abstract TVector Indices { get; }

    static abstract TVector Load(float* source);

    /// <summary>The first <paramref name="left"/> floats at <paramref name="source"/>, if
    /// not a whole vector of them; the other lanes are <paramref name="fill"/>.</summary>
    static abstract TVector Load(float* source, int left, float fill = 0f);

    /// <summary>Half a vector of floats, each in two neighbouring lanes; of the first <paramref name="left"/>, zero beyond them.</summary>
    static abstract TVector LoadTwice(float* source, int left);

    /// <summary>Lanes 2i and 2i + 1 change places.</summary>
    static abstract TVector SwapNeighbours(TVector a);

    /// <summary>The upper 24 bits of each word, as a fraction of 2²⁴.</summary>
    static abstract TVector LoadFractions(uint* source);

    /// <summary>A vector of bfloat16 values, widened.</summary>
    static abstract TVector LoadBfloat16(ushort* source);

    /// <summary>A vector of float16 values, widened; of a NaN some NaN.</summary>
    static abstract TVector LoadFloat16(ushort* source);

    /// <summary>Writes the upper 16 bits of each lane: a vector of <see cref="RoundToBfloat16"/> whole.</summary>
    static abstract void StoreBfloat16(TVector value, ushort* destination);

    static abstract void Store(TVector value, float* destination);

    /// <summary>Writes the first <paramref name="left"/> lanes, if not all.</summary>
    static abstract void Store(TVector value, float* destination, int left);

    /// <summary>Stores the first <paramref name="left"/> lanes, or adds them to what is there.</summary>
    static abstract void Write(TVector value, float* destination, int left, bool adds);

    static abstract TVector Broadcast(float value);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Subtract(TVector a, TVector b);

    static abstract TVector Multiply(TVector a, TVector b);

    static abstract TVector Divide(TVector a, TVector b);

    /// <summary>a·b + c, rounded once where the processor can.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    /// <summary>The larger; b when either is NaN.</summary>
    static abstract TVector Max(TVector a, TVector b);

    /// <summary>The smaller; b when either is NaN.</summary>
    static abstract TVector Min(TVector a, TVector b);

    static abstract TVector Round(TVector a);

    /// <summary>The nearest bfloat16, the even one of two as near; NaN stays NaN.</summary>
    static abstract TVector RoundToBfloat16(TVector a);

    static abstract TVector Sqrt(TVector a);

    static abstract TVector Abs(TVector a);

    /// <summary>The size of <paramref name="a"/> with the sign of <paramref name="sign"/>.</summary>
    static abstract TVector CopySign(TVector a, TVector sign);

    /// <summary>a &lt; b ? then : otherwise, lane by lane; otherwise when either is NaN.</summary>
    static abstract TVector WhereLess(TVector a, TVector b, TVector then, TVector otherwise);

    /// <summary>value·2ᵉ for whole e, for a value from 2⁻¹ to 2 and a product of
    /// any size: it overflows to ∞ and fades to zero as products do.</summary>
    static abstract TVector Scale(TVector value, TVector e);

    /// <summary>value·2ⁿ, n in the lowest nine bits of each lane of <paramref name="bits"/>: adds to the exponent bits.</summary>
    static abstract TVector ScaleByBits(TVector value, TVector bits);

    /// <summary>Natural logarithm.</summary>
    static abstract TVector Log(TVector a);

    static abstract TVector Log2(TVector a);

    /// <summary>Sum of the lanes.</summary>
    static abstract float Sum(TVector a);

    /// <summary>The sums of the lanes of four vectors, each as <see cref="Sum"/> adds them.</summary>
    static abstract Vector128<float> SumFour(TVector a, TVector b, TVector c, TVector d);

    /// <summary>Largest lane.</summary>
    static abstract float MaxLane(TVector a);
}

/// <summary>A loop over elements or rows, its operands being its fields, written once for every vector width.</summary>
internal interface IVectorLoop
{
    /// <summary>Elements, or rows, <paramref name="start"/> to before <paramref name="end"/>.</summary>
    void Run<TSimd, TVector>(int start, int end)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}

/// <summary>Work that is not a loop over elements, its operands being its fields, written once for every vector width.</summary>
internal interface IVectorWork
{
    /// <summary>Does all of the work, in vectors of this width.</summary>
    void Run<TSimd, TVector>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}

/// <summary>
/// The vector width of this machine: the widest that it has registers for and that .NET is
/// allowed (DOTNET_EnableAVX512 and the like). It is decided here and nowhere else; whoever asks
/// the processor for single instructions elsewhere gives the same bits with and without them.
/// </summary>
internal static class Simd
{
    /// <summary>512, 256 or 128: a constant to the compiler.</summary>
    public static int Bits => Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;

    /// <summary>
    /// What decides the bits of results, in words: the width, and where one width is had from different processors, which.
    /// </summary>
    public static string Name => Describe(Bits, Fma.IsSupported, AdvSimd.IsSupported);

    /// <summary>The same, of any machine: multiplications that are added are rounded once where they are fused.</summary>
    internal static string Describe(int bits, bool fused, bool arm) =>
        arm ? $"{bits}-bit Arm vectors"
        : bits == 128 && fused ? "128-bit vectors with fused multiply-add"
        : bits < 512 && !fused ? $"{bits}-bit vectors without fused multiply-add"
        : $"{bits}-bit vectors";

    /// <summary>The width for rows of <paramref name="C"/> values: half of 512 bits where no more than <paramref name="few"/> are in a row,
    /// which a vector of half the width holds, or two of them.</summary>
    public static int BitsOf(int C, int few) => Bits == 512 && C <= few ? 256 : Bits;

    /// <summary>Runs work at a width of <paramref name="bits"/>.</summary>
    public static void Run<TWork>(in TWork work, int bits)
        where TWork : struct, IVectorWork
    {
        if (bits == 512)
            work.Run<Simd512, Vector512<float>>();
        else if (bits == 256)
            work.Run<Simd256, Vector256<float>>();
        else
            work.Run<Simd128, Vector128<float>>();
    }

    /// <summary>
    /// Runs a loop at the width of this machine, a constant to the compiler; but rows of so few elements, <paramref name="C"/>, that half
    /// a vector holds them are not taken by part of a whole one. A row's bits depend on its length then, and still not on other rows.
    /// Every run of vectors in the loop has C elements or a multiple of them, or, of a loop over elements, <paramref name="end"/> minus
    /// <paramref name="start"/>: where vectors divide it there are no parts of them.
    /// </summary>
    public static void Run<TLoop>(in TLoop loop, int start, int end, int C = int.MaxValue)
        where TLoop : struct, IVectorLoop
    {
        int run = C == int.MaxValue ? end - start : C;
        if (Bits == 512 && C > Simd256.Count)
            Run<TLoop, Simd512, Vector512<float>>(in loop, start, end, run);
        else if (Bits >= 256)
            Run<TLoop, Simd256, Vector256<float>>(in loop, start, end, run);
        else
            Run<TLoop, Simd128, Vector128<float>>(in loop, start, end, run);
    }

    private static void Run<TLoop, TSimd, TVector>(in TLoop loop, int start, int end, int run)
        where TLoop : struct, IVectorLoop
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        if (run % TSimd.Count == 0)
            loop.Run<Whole<TSimd, TVector>, TVector>(start, end);
        else
            loop.Run<TSimd, TVector>(start, end);
    }
}
