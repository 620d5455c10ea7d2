using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Products are cuBLAS's; what an epilogue asks for is one kernel of ours behind them.
public sealed unsafe partial class CudaBackend
{
    private const int EpilogueRows = 64, EpilogueColumns = 128; // of a block, as in native/kernels/mat_mul.cu

    /// <inheritdoc/>
    public override void MatMul(Floats a, bool transposeA, Floats b, bool transposeB, int batch, int rows, int columns, int inner, Target c, in Epilogue epilogue = default)
    {
        if (c.IsNone || batch == 0 || rows == 0 || columns == 0)
            return;
        device.MakeCurrent();
        Product product = new(a.Address, transposeA, b.Address, transposeB, c.View.Address, c.Adds, rows, columns, inner);
        if (inner == 0)
            ClearStored(product, batch);
        else if (batch == 1)
            blas.Multiply(product);
        else
            blas.Multiply(product, batch);
        Finish(c.View, epilogue, offsets: default, E: 0, batch * rows, columns);
    }

    /// <summary>The sum over nothing: zeros where it is stored.</summary>
    private void ClearStored(in Product product, long batch = 1)
    {
        if (!product.Adds)
            Fill(product.C, batch * product.Rows * product.Columns, 0f);
    }

    /// <summary>What follows a product: bias, activation, rounding. c (rows, columns). With offsets (E+1), row by row the bias of its expert, and zeros in the rows of nobody.</summary>
    private void Finish(Floats c, in Epilogue epilogue, Ints offsets, int E, int rows, int columns)
    {
        if (!HasWork(epilogue))
            return;
        Grid grid = new(CeilingDivide(rows, EpilogueRows), CeilingDivide(columns, EpilogueColumns));
        Launch(
            "epilogue", grid,
            c, epilogue.Bias, offsets, E, rows, columns, (int)epilogue.Activation, epilogue.Gate, epilogue.Activated, epilogue.Precision == ElementType.Bfloat16);
    }

    private static bool HasWork(in Epilogue epilogue) => !epilogue.Bias.IsNone || !epilogue.Activated.IsNone || epilogue.Precision == ElementType.Bfloat16;

    private static int CeilingDivide(int n, int size) => (int)(((long)n + size - 1) / size);
}
