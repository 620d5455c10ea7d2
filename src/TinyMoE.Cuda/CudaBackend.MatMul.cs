using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Products are cuBLAS's; what an epilogue asks for is one kernel of ours behind them.
public sealed unsafe partial class CudaBackend
{
    private const int EpilogueRows = 64, EpilogueColumns = 128; // of a block, as in native/kernels/mat_mul.cu

    /// <inheritdoc/>
    protected override void MatMul(
        Floats a, bool transposeA, Weights b, bool transposeB, int batch, int rows, int columns, int inner, Target c,
        in Epilogue epilogue = default)
    {
        if (c.IsNone || batch == 0 || rows == 0 || columns == 0)
            return;
        device.MakeCurrent();
        if (batch == 1 && !transposeA && transposeB && AreThin(b, rows, mostRows: 1))
        {
            MultiplyThin(a, tokens: default, b, offsets: default, E: 0, rows, inner, columns, c);
            Finish(c.Values, epilogue, offsets: default, E: 0, rows, columns);
            return;
        }

        ReadWeights read = ReadOf(a, batch * rows * inner, b, (long)batch * inner * columns, mayPack: batch == 1);
        Product product = new(read.Left, transposeA, read.Right, transposeB, c.View.Address, c.Adds, rows, columns, inner);
        if (inner == 0)
            ClearStored(product, batch);
        else if (read.OnTensorCores)
            blas.MultiplyBfloat16(product);
        else if (batch == 1)
            blas.Multiply(product);
        else
            blas.Multiply(product, batch);
        Return(read);
        Finish(c.Values, epilogue, offsets: default, E: 0, batch * rows, columns);
    }

    /// <inheritdoc/>
    public override void MatMul(
        Values a, bool transposeA, Weights b, bool transposeB, int batch, int rows, int columns, int inner, Target c,
        in Epilogue epilogue = default)
    {
        if (batch != 1 || inner == 0 || !TakesNarrow(a, b, c, epilogue))
        {
            if (c.Adds && c.Type == ElementType.Bfloat16 && !HasWork(epilogue))
            {
                AddProduct(a, transposeA, b, transposeB, batch, rows, columns, inner, c);
                return;
            }

            base.MatMul(a, transposeA, b, transposeB, batch, rows, columns, inner, c, in epilogue);
            return;
        }

        if (c.IsNone || rows == 0 || columns == 0)
            return;
        device.MakeCurrent();
        Product product = new(a.Address, transposeA, b.Address, transposeB, c.Values.Address, c.Adds, rows, columns, inner);
        blas.MultiplyBfloat16(product, c.Type);
        Finish(c.Values, epilogue, offsets: default, E: 0, rows, columns);
    }

    /// <summary>c += a·b in bfloat16, of a product in float32: it is made by itself, and added in one pass where widening c and rounding it
    /// again would be two. A router's gradient is such a one.</summary>
    private void AddProduct(
        Values a, bool transposeA, Weights b, bool transposeB, int batch, int rows, int columns, int inner, Target c)
    {
        DeviceBuffer scratch = Pool.Rent((long)c.Values.Length * sizeof(float), "a product to add");
        Floats product = scratch.As<float>(c.Values.Length);
        base.MatMul(a, transposeA, b, transposeB, batch, rows, columns, inner, product);
        Convert(product, product.Length, c);
        Pool.Return(scratch);
    }

    /// <summary>
    /// Whether a product goes to the tensor cores as it lies: both sides in bfloat16, so that nothing is rounded for it, the sum in
    /// float32, and the result and what follows it in one type. Cards before 8.0 have no such products.
    /// </summary>
    private bool TakesNarrow(Values a, Weights b, Target c, in Epilogue epilogue) =>
        a.Type == ElementType.Bfloat16 && b.Type == ElementType.Bfloat16 && !b.LieApart
        && HasBfloat16Products
        && (epilogue.Gate.IsNone || epilogue.Gate.Type == c.Type) && (epilogue.Activated.IsNone || epilogue.Activated.Type == c.Type);

    /// <summary>
    /// What a product reads of its left side and of its weights. Weights in bfloat16 go to the
    /// tensor cores where the options say so, and then the left side is rounded too; else, and in float16, they
    /// are widened first. Give the scratch back (<see cref="Return"/>) when the product is queued.
    /// </summary>
    private ReadWeights ReadOf(Floats left, int count, Weights weights, long weightCount, bool mayPack = true)
    {
        if (weights.LieApart || weights.Type is not (ElementType.Float32 or ElementType.Bfloat16 or ElementType.Float16))
            throw weights.NotSupportedBy("CUDA", "A product");
        if (weights.Type == ElementType.Float32)
            return new ReadWeights(left.Address, weights.Address, null, false);
        if (mayPack && weights.Type == ElementType.Bfloat16 && options.TensorCores == TensorCores.Bfloat16)
        {
            DeviceBuffer packed = Pool.Rent((long)count * sizeof(ushort));
            PackBfloat16(left, count, packed.As<ushort>(count));
            return new ReadWeights(packed.Address, weights.Address, packed, true);
        }

        DeviceBuffer widened = Pool.Rent(weightCount * sizeof(float));
        Widen(weights, weightCount, widened.As<float>((int)weightCount));
        return new ReadWeights(left.Address, widened.Address, widened, false);
    }

    private void Return(ReadWeights read)
    {
        if (read.Scratch is not null)
            Pool.Return(read.Scratch);
    }

    /// <summary>Addresses of the two sides of a product, and the memory that one of them may be in.</summary>
    private readonly record struct ReadWeights(nint Left, nint Right, DeviceBuffer? Scratch, bool OnTensorCores)
    {
        /// <summary>Bytes of an element of either side.</summary>
        public int ElementSize => OnTensorCores ? sizeof(ushort) : sizeof(float);
    }

    /// <summary>The sum over nothing: zeros where it is stored.</summary>
    private void ClearStored(in Product product, long batch = 1)
    {
        if (!product.Adds)
            Fill(product.C, batch * product.Rows * product.Columns, 0f);
    }

    /// <summary>What follows a product: bias, activation, rounding. c (rows, columns). With
    /// offsets (E+1), row by row the bias of its expert, and zeros in unassigned rows.</summary>
    private void Finish(Values c, in Epilogue epilogue, Ints offsets, int E, int rows, int columns)
    {
        if (!HasWork(epilogue))
            return;
        Grid grid = new(Ceiling.Divide(rows, EpilogueRows), Ceiling.Divide(columns, EpilogueColumns));
        if (c.Type == ElementType.Bfloat16)
        {
            Launch(
                "epilogue_bfloat16", grid,
                Narrow(c), epilogue.Bias, offsets, E, rows, columns, (int)epilogue.Activation, Narrow(epilogue.Gate),
                Narrow(epilogue.Activated), false);
            return;
        }

        Launch(
            "epilogue", grid,
            c.Float32, epilogue.Bias, offsets, E, rows, columns, (int)epilogue.Activation, epilogue.Gate.Float32,
            epilogue.Activated.Float32, epilogue.Precision == ElementType.Bfloat16);
    }

    private static bool HasWork(in Epilogue epilogue) =>
        !epilogue.Bias.IsNone || !epilogue.Activated.IsNone || epilogue.Precision == ElementType.Bfloat16;
}
