using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Dispatch and combine. A row of token −1 is unassigned: it is zero, and so is its gradient.
public abstract partial class Backend
{
    /// <summary>
    /// y[r] = x[tokens[r]]. x (N, C), tokens (rows), the same by token: tokenOffsets (N+1), rowsByToken (rows), y (rows, C).
    /// </summary>
    public abstract void DispatchForward(Values x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Values y);

    /// <summary>dx[n] = Σ over the rows r of token n of dy[r]. dy (rows, C), tokenOffsets (N+1), rowsByToken (rows), dx (N, C).</summary>
    public abstract void DispatchBackward(Values dy, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Target dx);

    /// <summary>
    /// y[n] = Σ over the rows r of token n of gates[r]·x[r]. x (rows, C), gates (rows),
    /// tokenOffsets (N+1), rowsByToken (rows), y (N, C).
    /// </summary>
    public abstract void CombineForward(Values x, Floats gates, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Values y);

    /// <summary>
    /// dx[r] = gates[r]·dy[n], dgates[r] = x[r]·dy[n], n = tokens[r]. dy (N, C), x, dx (rows, C), gates, dgates, tokens (rows).
    /// </summary>
    public abstract void CombineBackward(Values dy, Values x, Floats gates, Ints tokens, int rows, int N, int C, Target dx, Target dgates);
}
