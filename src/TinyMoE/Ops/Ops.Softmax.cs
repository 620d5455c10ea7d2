using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>Softmax over the last dimension. x (..., C).</summary>
    public static Tensor Softmax(this Tensor x)
    {
        x = x.ToFloat32();
        int C = x.Shape.Last, N = x.Count / C;                   // x (N, C)

        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape);                            // (N, C)
        tape.Backend.SoftmaxForward(x.Data, N, C, y.Data);

        // dx = y·(dy − Σ_c dy·y)
        return tape.Record(nameof(Softmax), y, x, static (y, x) =>
            y.Tape.Backend.SoftmaxBackward(y.Grad, y.Data, x.Count / x.Shape.Last, x.Shape.Last, x.GradTarget()), readsOutput: true);
    }

    /// <summary>log Σ exp(x) over the last dimension. x (..., C); result (..., 1).</summary>
    public static Tensor LogSumExp(this Tensor x)
    {
        x = x.ToFloat32();
        int C = x.Shape.Last, N = x.Count / C;                   // x (N, C)

        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape.WithLast(1));               // (N)
        tape.Backend.LogSumExpForward(x.Data, N, C, y.Data);

        // dx[n, c] = dy[n]·exp(x[n, c] − y[n])
        return tape.Record(nameof(LogSumExp), y, x, static (y, x) =>
            y.Tape.Backend.LogSumExpBackward(y.Grad, x.Data, y.Data, y.Count, x.Shape.Last, x.GradTarget()), readsOutput: true);
    }

    /// <summary>
    /// The mean of −log softmax(logits)[target] over the rows with a target of 0 or more; zero when there is none.
    /// logits (..., V), targets one per row; result (1).
    /// </summary>
    public static Tensor CrossEntropy(this Tensor logits, Ints targets)
    {
        logits = logits.ToFloat32();
        int V = logits.Shape.Last, N = logits.Count / V;         // logits (N, V)
        Check.Length(nameof(CrossEntropy), targets, N);

        Tape tape = logits.Tape;
        Tensor y = tape.New(1);
        Floats logSumExp = tape.Saved(N);                        // (N)
        tape.Backend.CrossEntropyForward(logits.Data, targets, N, V, y.Data, logSumExp);

        // dlogits[n] = (softmax(logits[n]) − onehot(targets[n]))·dy/count for rows that count, else zero
        return tape.Record(nameof(CrossEntropy), y, logits, targets, logSumExp, static (y, logits, targets, logSumExp) =>
            y.Tape.Backend.CrossEntropyBackward(
                y.Grad, logits.Data, targets, logSumExp, targets.Length, logits.Shape.Last, logits.GradTarget()));
    }

    /// <summary>The z-loss (Zoph et al. 2022): scale·Σ (log Σ_e exp)² over the rows whose mask
    /// is 1, all without one. logits (N, E), mask (N, 1) of 1 and 0, result (1).</summary>
    public static Tensor ZLoss(this Tensor logits, float scale, Tensor? mask = null)
    {
        logits = logits.ToFloat32();
        int E = logits.Shape.Last, N = logits.Count / E;         // logits (N, E)
        if (mask is not null)
            Check.Count(nameof(ZLoss), mask, N);

        Tape tape = logits.Tape;
        Floats counting = mask?.Data ?? default;                 // (N)
        Tensor y = tape.New(1);
        Floats logSumExp = tape.Saved(N);                        // (N)
        tape.Backend.ZLossForward(logits.Data, counting, scale, N, E, y.Data, logSumExp);

        // dlogits[n, e] = 2·scale·dy·mask[n]·logSumExp[n]·exp(logits[n, e] − logSumExp[n])
        return tape.Record(nameof(ZLoss), y, logits, counting, logSumExp, scale, static (y, logits, counting, logSumExp, scale) =>
        {
            int E = logits.Shape.Last, N = logits.Count / E;
            y.Tape.Backend.ZLossBackward(y.Grad, logits.Data, counting, logSumExp, scale, N, E, logits.GradTarget());
        });
    }
}
