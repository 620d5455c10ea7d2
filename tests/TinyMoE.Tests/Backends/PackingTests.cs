using TinyMoE.Backends.Cpu;

namespace TinyMoE.Tests.Backends;

public sealed unsafe class PackingTests
{
    /// <summary>What processors without 256-bit vectors do. Rows of six are closer than the eight values that are written.</summary>
    [Theory]
    [InlineData(6)]
    [InlineData(8)]
    [InlineData(16)]
    public void TransposeByFours_ToRowsOfAnyLength_AgreesWithElements(int row)
    {
        const int Squares = 3, Size = 8, Length = Squares * Size;
        float[] x = [.. Enumerable.Range(0, Size * Length).Select(i => (float)i)], y = new float[Length * row + Size];
        fixed (float* from = x, to = y)
        {
            for (int k = 0; k < Length; k += Size)
                Packing.TransposeByFours(from + k, Length, to + k * row, row);
        }

        for (int k = 0; k < Length; k++)
        {
            for (int i = 0; i < Math.Min(row, Size); i++)
                Assert.Equal(x[i * Length + k], y[k * row + i]);
        }
    }
}
