using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Dispatch and combine. A row of token −1 is unassigned: it is zero, and so is its gradient.
public abstract partial class Backend
{
    /// <summary>y[n] = x[tokens[n]]. x (T, C), tokens (N), the same by token: tokenOffsets (T+1), rowsByToken (N), y (N, C).</summary>
    public abstract void DispatchForward(Floats x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y);

    /// <summary>dx[t] = Σ over the rows n of token t of dy[n]. dy (N, C), tokenOffsets (T+1), rowsByToken (N), dx (T, C).</summary>
    public abstract void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Target dx);

    /// <summary>y[t] = Σ over the rows n of token t of w[n]·x[n]. x (N, C), w (N), tokenOffsets (T+1), rowsByToken (N), y (T, C).</summary>
    public abstract void CombineForward(Floats x, Floats w, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y);

    /// <summary>dx[n] = w[n]·dy[t], dw[n] = x[n]·dy[t], t = tokens[n]. dy (T, C), x, dx (N, C), w, dw, tokens (N).</summary>
    public abstract void CombineBackward(Floats dy, Floats x, Floats w, Ints tokens, int N, int T, int C, Target dx, Target dw);
}
