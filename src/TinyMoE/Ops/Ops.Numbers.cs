using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>Σ_i weights[i]·x[i] of tensors of one element: a total of
    /// losses. x, weights (n numbers, at least one), result (1).</summary>
    public static Tensor SumNumbers(this IReadOnlyList<Tensor> x, float[] weights)
    {
        Check.That(nameof(SumNumbers), x.Count > 0 && x.Count == weights.Length, $"{x.Count} numbers cannot have {weights.Length} weights");
        foreach (Tensor number in x)
            Check.Count(nameof(SumNumbers), number, 1);

        Tape tape = x[0].Tape;
        Tensor y = tape.New(1);
        tape.Backend.SumNumbers([.. x.Select(number => number.Data)], weights, y.Data);

        // dx[i] = weights[i]·dy
        return tape.Record(nameof(SumNumbers), y, () =>
        {
            Floats[] dy = [.. Enumerable.Repeat(y.Grad, x.Count)];
            Target[] dx = [.. x.Select(number => number.GradTarget())];
            tape.Backend.ScaleNumbers(dy, weights, dx);
        });
    }

    /// <summary>weight·Σ_i x[i] of tensors of one element; result (1).</summary>
    public static Tensor SumNumbers(this IReadOnlyList<Tensor> x, float weight = 1f) =>
        x.SumNumbers([.. Enumerable.Repeat(weight, x.Count)]);
}
