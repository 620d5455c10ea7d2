using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>
    /// The rows of the tokens, in expert order: y[r] = x[tokens[r]]. x (N, C), tokens (rows), y (rows, C).
    /// The rows of token n are rowsByToken[tokenOffsets[n]..tokenOffsets[n+1]]; a token may have none.
    /// </summary>
    public static Tensor Dispatch(this Tensor x, Ints tokens, Ints tokenOffsets, Ints rowsByToken)
    {
        int C = x.Shape.Last, N = x.Count / C, rows = tokens.Length;
        Check.Length(nameof(Dispatch), tokenOffsets, N + 1);
        Check.Length(nameof(Dispatch), rowsByToken, rows);

        Tape tape = x.Tape;
        Tensor y = tape.New((rows, C), x.Type);
        tape.Backend.DispatchForward(x.Values, tokens, tokenOffsets, rowsByToken, rows, N, C, y.Values);

        // dx[n] = Σ over the rows r of token n of dy[r]
        return tape.Record(nameof(Dispatch), y, () =>
            tape.Backend.DispatchBackward(y.GradValues, tokenOffsets, rowsByToken, rows, N, C, x.GradTarget()));
    }

    /// <summary>
    /// Each token's weighted sum of its rows: y[n] = Σ over the rows r of token n of gates[r]·x[r], zero for a token without rows.
    /// x (rows, C), gates (rows), tokens (rows), tokenOffsets (N+1), rowsByToken (rows), y (N, C).
    /// </summary>
    public static Tensor Combine(this Tensor x, Tensor gates, Ints tokens, Ints tokenOffsets, Ints rowsByToken)
    {
        int C = x.Shape.Last, rows = x.Count / C, N = tokenOffsets.Length - 1;
        Check.Count(nameof(Combine), gates, rows);
        Check.Length(nameof(Combine), tokens, rows);
        Check.Length(nameof(Combine), rowsByToken, rows);

        Tape tape = x.Tape;
        Tensor y = tape.New((N, C), x.Type);
        tape.Backend.CombineForward(x.Values, gates.Data, tokenOffsets, rowsByToken, rows, N, C, y.Values);

        // with n = tokens[r]:  dx[r] = gates[r]·dy[n],   dgates[r] = x[r]·dy[n]
        return tape.Record(nameof(Combine), y, () =>
            tape.Backend.CombineBackward(y.GradValues, x.Values, gates.Data, tokens, rows, N, C, x.GradTarget(), gates.GradTarget()));
    }
}
