using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Sums over rows or columns, in a fixed order, and their backward.
public abstract partial class Backend
{
    /// <summary>y[c] = scale·Σ_n x[n, c]. x (N, C), y (C).</summary>
    public abstract void SumRows(Values x, float scale, int N, int C, Target y);

    /// <summary>y[n] = scale·Σ_c x[n, c]. x (N, C), y (N).</summary>
    public abstract void SumColumns(Floats x, float scale, int N, int C, Target y);

    /// <summary>y[n, c] = scale·x[c]. x (C), y (N, C).</summary>
    public abstract void BroadcastRows(Floats x, float scale, int N, int C, Target y);

    /// <summary>y[n, c] = scale·x[n]. x (N), y (N, C).</summary>
    public abstract void BroadcastColumns(Floats x, float scale, int N, int C, Target y);
}
