using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void MatMul(
        Values a, bool transposeA, Weights b, bool transposeB, int batch, int rows, int columns, int inner, Target c,
        in Epilogue epilogue = default)
    {
        double area = 1.0 * batch * rows * columns;
        using (Time(
            new(nameof(MatMul), batch > 1 ? batch : 0, rows, columns, inner, Form(transposeA, transposeB)),
            flops: 2.0 * area * inner + Flops(epilogue, area),
            values: batch * (In(a, Area(rows, inner)) + Values(b, Area(inner, columns))) + Out(c, area) + Values(epilogue, area),
            products: 2.0 * area * inner))
            device?.MatMul(a, transposeA, b, transposeB, batch, rows, columns, inner, c, epilogue);
    }

    /// <summary>Operations of what follows a product of <paramref name="area"/> values:
    /// a bias is one each, an activation one, a gate two more, rounding one.</summary>
    private static double Flops(in Epilogue after, double area) =>
        area * ((after.Bias.IsNone ? 0 : 1) + (after.Precision == ElementType.Bfloat16 ? 1 : 0) + (
            after.Activated.IsNone ? 0 : after.Gate.IsNone ? 1 : 3));

    /// <summary>Values that it moves beside the product itself.</summary>
    private static double Values(in Epilogue after, double area) =>
        after.Bias.Length + In(after.Gate, area) + In(after.Activated, area);

    /// <summary>"NT": the first as it lies, the second transposed.</summary>
    private static string Form(bool transposeA, bool transposeB) => (transposeA, transposeB) switch
    {
        (false, false) => "NN",
        (false, true) => "NT",
        (true, false) => "TN",
        _ => "TT",
    };
}
