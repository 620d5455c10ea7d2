using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Kernels: native/kernels/thin_products.cu. Products of few rows with weights kept in 16 bits, which cuBLAS and our grouped kernels would
// have widened first: all of them, for one token.
public sealed unsafe partial class CudaBackend
{
    private const int OutputsOfThinBlock = 16;
    private const int MostThinRows = 32; // of experts: each row reads its expert's weights for itself

    /// <summary>Whether rows are few and weights in 16 bits that no tensor core reads as they are.</summary>
    private bool AreThin(Weights w, int rows, int mostRows) => rows <= mostRows * Sequences && !w.LieApart
        && (w.Type == ElementType.Float16 || (w.Type == ElementType.Bfloat16 && options.TensorCores != TensorCores.Bfloat16));

    /// <summary>Products of experts with what follows them, of the rows of x that <paramref name="tokens"/> name where they are
    /// given.</summary>
    private void MultiplyThinExperts(
        Floats x, Ints tokens, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue)
    {
        MultiplyThin(x, tokens, w, offsets, E, N, inputs, outputs, y);
        Finish(y.Values, epilogue, offsets, E, N, outputs);
    }

    /// <summary>
    /// y[n] = w·x[n], of experts (E &gt; 0) w[e]·x[n], or x[tokens[n]]. x (N, inputs), w (outputs, inputs) or (E, outputs, inputs).
    /// </summary>
    private void MultiplyThin(Floats x, Ints tokens, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y)
    {
        Grid grid = new(Ceiling.Divide(outputs, OutputsOfThinBlock), N);
        Argument weights = w.Type == ElementType.Float16 ? w.Float16 : w.Bfloat16;
        Launch(
            w.Type == ElementType.Float16 ? "thin_product_float16" : "thin_product_bfloat16", grid, x, tokens, weights, offsets, E, inputs,
            outputs, y);
    }
}
