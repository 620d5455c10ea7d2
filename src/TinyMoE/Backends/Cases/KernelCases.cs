using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of one family of kernels. A class that derives from it is found by itself: it needs to be named nowhere.</summary>
internal abstract class KernelCases
{
    /// <summary>Where the family stands in tables; smaller is earlier, among equals by name.</summary>
    public abstract int Order { get; }

    /// <summary>The family, as its files are named: the name of the class without "Cases".</summary>
    public string Family => GetType().Name[..^"Cases".Length];

    /// <summary>The cases at these sizes; outputs are stored, or <paramref name="adds"/> where they can be added to.</summary>
    public abstract IEnumerable<KernelCase> Of(KernelSizes s, bool adds);

    /// <summary>One case of the family.</summary>
    protected KernelCase Case(string name, Action<Backend, KernelData> run, double tolerance = KernelCase.UsualTolerance) =>
        new(Family, name, run, tolerance);

    /// <summary>A key of random numbers.</summary>
    protected static RandomKey Key(RandomPurpose purpose) => new(5, purpose, Step: 3, Layer: 2, Part: 1);

    /// <summary>n whole numbers, 0 to before <paramref name="below"/>.</summary>
    protected static float[] WholeNumbers(int n, int below) => [.. Enumerable.Range(0, n).Select(i => (float)(i * 7 % below))];

    /// <summary>The upper halves of numbers from ¼ to ½, of both signs: sums of them are about as large as those of other inputs.</summary>
    protected static ushort[] Bfloat16sOf(int n) =>
        [.. Enumerable.Range(0, n).Select(i => (ushort)((i % 3 == 0 ? 0xBE80 : 0x3E80) + i * 31 % 128))];

    /// <summary>The float16 bits of numbers from ¼ to ½, of both signs, and among them of every other size, subnormal ones too.</summary>
    protected static Weights Float16sOf(KernelData d, int n)
    {
        ushort[] bits = new ushort[n];
        for (int i = 0; i < n; i++)
            bits[i] = (ushort)((i % 3 == 0 ? 0x8000 : 0) + (i % 5 == 0 ? i * 53 % 0x3800 : 0x3400 + i * 31 % 1024));
        return Weights.Of(ElementType.Float16, d.In(bits));
    }

    /// <summary>Every third row does not count; empty: all do.</summary>
    protected static Floats Mask(KernelData d, int N, bool masked) =>
        masked ? d.In([.. Enumerable.Range(0, N).Select(n => n % 3 == 1 ? 0f : 1f)]) : default;
}
