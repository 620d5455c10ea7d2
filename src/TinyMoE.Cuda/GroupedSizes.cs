using Operation = ManagedCuda.CudaBlas.Operation;

namespace TinyMoE.Cuda;

/// <summary>The sizes of products that run in one call, in the arrays that cuBLAS
/// takes. They grow to the most experts ever seen and are used again.</summary>
internal sealed class GroupedSizes
{
    public Operation[] TransposeA { get; private set; } = [];

    public Operation[] TransposeB { get; private set; } = [];

    public int[] Rows { get; private set; } = [];

    public int[] Columns { get; private set; } = [];

    public int[] Inner { get; private set; } = [];

    /// <summary>Elements of a row of a as it lies.</summary>
    public int[] RowA { get; private set; } = [];

    /// <summary>Elements of a row of b as it lies.</summary>
    public int[] RowB { get; private set; } = [];

    /// <summary>The factor of each product: 1.</summary>
    public float[] Alpha { get; private set; } = [];

    /// <summary>The factor of what c holds: 1 where it is added to, else 0.</summary>
    public float[] Beta { get; private set; } = [];

    /// <summary>Products of each group: 1.</summary>
    public int[] Ones { get; private set; } = [];

    /// <summary>Number of products.</summary>
    public int Count { get; private set; }

    /// <summary>Takes over the sizes of <paramref name="products"/>, and their addresses: all of b, all of a, all of c.</summary>
    public void Set(ReadOnlySpan<Product> products, Span<nint> addresses)
    {
        Count = products.Length;
        if (Rows.Length < Count)
            Grow(Math.Max(Count, 2 * Rows.Length));
        for (int i = 0; i < Count; i++)
        {
            ref readonly Product p = ref products[i];
            (TransposeA[i], TransposeB[i]) = (Cublas.Flag(p.TransposeA), Cublas.Flag(p.TransposeB));
            (Rows[i], Columns[i], Inner[i]) = (p.Rows, p.Columns, p.Inner);
            (RowA[i], RowB[i], Beta[i]) = (Cublas.RowA(p), Cublas.RowB(p), p.Adds ? 1f : 0f);
            (addresses[i], addresses[Count + i], addresses[2 * Count + i]) = (p.B, p.A, p.C);
        }
    }

    private void Grow(int length)
    {
        (TransposeA, TransposeB) = (new Operation[length], new Operation[length]);
        (Rows, Columns, Inner) = (new int[length], new int[length], new int[length]);
        (RowA, RowB, Ones) = (new int[length], new int[length], new int[length]);
        (Alpha, Beta) = (new float[length], new float[length]);
        Alpha.AsSpan().Fill(1f);
        Ones.AsSpan().Fill(1);
    }
}
