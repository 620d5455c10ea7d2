using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>
    /// The rows of the tokens, in expert order: y[n] = x[tokens[n]]. x (T, C), tokens (N), y (N, C).
    /// The rows of token t are rowsByToken[tokenOffsets[t]..tokenOffsets[t+1]]; a token may have none.
    /// </summary>
    public static Tensor Dispatch(this Tensor x, Ints tokens, Ints tokenOffsets, Ints rowsByToken)
    {
        int C = x.Shape.Last, T = x.Count / C, N = tokens.Length;
        Check.Length(nameof(Dispatch), tokenOffsets, T + 1);
        Check.Length(nameof(Dispatch), rowsByToken, N);

        Tape tape = x.Tape;
        Tensor y = tape.New((N, C));
        tape.Backend.DispatchForward(x.Data, tokens, tokenOffsets, rowsByToken, N, T, C, y.Data);

        // dx[t] = Σ over the rows n of token t of dy[n]
        return tape.Record(nameof(Dispatch), y, () =>
            tape.Backend.DispatchBackward(y.Grad, tokenOffsets, rowsByToken, N, T, C, x.GradTarget()));
    }

    /// <summary>
    /// Each token's weighted sum of its rows: y[t] = Σ over the rows n of token t of weights[n]·x[n], zero for a token without rows.
    /// x (N, C), weights (N), tokens (N), tokenOffsets (T+1), rowsByToken (N), y (T, C).
    /// </summary>
    public static Tensor Combine(this Tensor x, Tensor weights, Ints tokens, Ints tokenOffsets, Ints rowsByToken)
    {
        int C = x.Shape.Last, N = x.Count / C, T = tokenOffsets.Length - 1;
        Check.Count(nameof(Combine), weights, N);
        Check.Length(nameof(Combine), tokens, N);
        Check.Length(nameof(Combine), rowsByToken, N);

        Tape tape = x.Tape;
        Tensor y = tape.New((T, C));
        tape.Backend.CombineForward(x.Data, weights.Data, tokenOffsets, rowsByToken, N, T, C, y.Data);

        // with t = tokens[n]:  dx[n] = weights[n]·dy[t],   dweights[n] = x[n]·dy[t]
        return tape.Record(nameof(Combine), y, () =>
            tape.Backend.CombineBackward(y.Grad, x.Data, weights.Data, tokens, N, T, C, x.GradTarget(), weights.GradTarget()));
    }
}
