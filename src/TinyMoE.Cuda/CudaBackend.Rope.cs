using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Kernel: native/kernels/rope.cu.
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    protected override void Rope(Floats q, Floats k, Floats cos, Floats sin, in RopeSizes sizes, bool inverse, Target yq, Target yk)
    {
        if (yq.IsNone && yk.IsNone)
            return;
        (int B, int T, int H, int keyHeads, int D, int turned, int start, bool interleaved) = sizes;
        Grid grid = Grid.Elements((long)B * T * (D - turned / 2), each: 1); // a pair, or an element that is not turned
        Launch("rope", grid, q, k, cos, sin, B * T, T, H, keyHeads, D, RowOf(sizes, H), RowOf(sizes, keyHeads), turned, interleaved,
            start, inverse, yq, yk);
    }

    /// <inheritdoc/>
    public override void Rope(Values q, Values k, Floats cos, Floats sin, in RopeSizes sizes, bool inverse, Target yq, Target yk)
    {
        if (!AreNarrow(q, k, yq.Values, yk.Values))
        {
            base.Rope(q, k, cos, sin, in sizes, inverse, yq, yk);
            return;
        }

        if (yq.IsNone && yk.IsNone)
            return;
        (int B, int T, int H, int keyHeads, int D, int turned, int start, bool interleaved) = sizes;
        Grid grid = Grid.Elements((long)B * T * (D - turned / 2), each: 1);
        Launch("rope_bfloat16", grid, Narrow(q), Narrow(k), cos, sin, B * T, T, H, keyHeads, D, RowOf(sizes, H),
            RowOf(sizes, keyHeads), turned, interleaved, start, inverse, Narrow(yq), Narrow(yk));
    }

    /// <summary>Elements from a token to the next.</summary>
    private static int RowOf(in RopeSizes sizes, int heads) => sizes.Stride == 0 ? heads * sizes.D : sizes.Stride;
}
