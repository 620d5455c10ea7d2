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
        return RecordDispatch(nameof(Dispatch), x, y, tokenOffsets, rowsByToken);
    }

    /// <summary>
    /// The same rows, left where they are: <see cref="GroupedLinear"/> and its kin read them by token, and no other op takes them. It
    /// spares a backend writing and reading them, where it reads them so (<see cref="Backends.Backend.ReadsRowsByToken"/>). Shapes and
    /// gradient as of <see cref="Dispatch"/>.
    /// </summary>
    internal static Tensor DispatchByToken(this Tensor x, Ints tokens, Ints tokenOffsets, Ints rowsByToken)
    {
        Check.Length(nameof(DispatchByToken), tokenOffsets, (x.Count / x.Shape.Last) + 1);
        Check.Length(nameof(DispatchByToken), rowsByToken, tokens.Length);
        return RecordDispatch(nameof(DispatchByToken), x, new UnmovedRows(x, tokens), tokenOffsets, rowsByToken);
    }

    // dx[n] = Σ over the rows r of token n of dy[r]
    private static Tensor RecordDispatch(string op, Tensor x, Tensor y, Ints tokenOffsets, Ints rowsByToken)
    {
        return x.Tape.Record(op, y, x, tokenOffsets, rowsByToken, static (y, x, tokenOffsets, rowsByToken) =>
        {
            int C = x.Shape.Last, N = x.Count / C, rows = y.Shape[0];
            y.Tape.Backend.DispatchBackward(y.GradValues, tokenOffsets, rowsByToken, rows, N, C, x.GradTarget());
        });
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
        return tape.Record(nameof(Combine), y, x, gates, tokens, static (y, x, gates, tokens) =>
        {
            int C = x.Shape.Last, rows = tokens.Length, N = y.Shape[0];
            y.Tape.Backend.CombineBackward(y.GradValues, x.Values, gates.Data, tokens, rows, N, C, x.GradTarget(), gates.GradTarget());
        });
    }
}
