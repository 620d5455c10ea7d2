using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Products of experts. Expert e owns rows offsets[e] to before offsets[e+1]. Rows from offsets[E] on are unassigned (dropped tokens):
// the result there is zero (nothing is added), of an epilogue's activation too, and they count in no expert's sum.
public abstract partial class Backend
{
    /// <summary>Each expert on its rows: y[n] = w[e]·x[n] for offsets[e] ≤ n &lt; offsets[e+1].
    /// x (N, inputs), w (E, outputs, inputs), offsets (E+1), y (N, outputs).</summary>
    public abstract void GroupedMatMul(
        Values x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default);

    /// <summary>dx[n] = w[e]ᵀ·dy[n], zero for unassigned rows. dy (N, outputs),
    /// w (E, outputs, inputs), offsets (E+1), dx (N, inputs).</summary>
    public abstract void GroupedMatMulBackwardInput(Values dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx);

    /// <summary>dw[e] = Σ_{n of e} dy[n]·x[n]ᵀ, zero for an expert without rows. dy
    /// (N, outputs), x (N, inputs), offsets (E+1), dw (E, outputs, inputs).</summary>
    public abstract void GroupedMatMulBackwardWeight(Values dy, Values x, Ints offsets, int E, int N, int inputs, int outputs, Target dw);

    /// <summary>
    /// Whether products of E experts with so many rows are better asked for rows of tokens (<see cref="GatheredMatMul"/>) than for rows
    /// that were moved before: this device reads rows of this type where they are.
    /// </summary>
    public virtual bool ReadsRowsByToken(ElementType type, int E, int rows, int inputs, int outputs) => false;

    /// <summary>
    /// <see cref="GroupedMatMul"/> of rows that nobody has moved: y[r] = w[e]·x[tokens[r]] for offsets[e] ≤ r &lt; offsets[e+1].
    /// x (N, inputs), tokens (rows), −1 in unassigned rows; w (E, outputs, inputs), offsets (E+1), y (rows, outputs).
    /// </summary>
    public abstract void GatheredMatMul(
        Values x, Ints tokens, Weights w, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target y,
        in Epilogue epilogue = default);

    /// <summary>
    /// The same of <see cref="GroupedMatMulBackwardWeight"/>: dw[e] = Σ_{r of e} dy[r]·x[tokens[r]]ᵀ. dy (rows, outputs), x (N, inputs),
    /// tokens (rows), offsets (E+1), dw (E, outputs, inputs).
    /// </summary>
    public abstract void GatheredMatMulBackwardWeight(
        Values dy, Values x, Ints tokens, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target dw);

    /// <summary>y[e] = Σ_{n of e} x[n]. x (N, C), offsets (E+1), y (E, C).</summary>
    public abstract void GroupedSum(Values x, Ints offsets, int E, int N, int C, Target y);

    /// <summary>y[n] = x[e] for the rows n of e, zero for unassigned rows. x (E, C), offsets (E+1), y (N, C).</summary>
    public abstract void GroupedBroadcast(Floats x, Ints offsets, int E, int N, int C, Target y);
}
