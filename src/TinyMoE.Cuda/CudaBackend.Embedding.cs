using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/embedding.cu. The ids are not looked at here, that would be a wait for the device: an id that is no row of the table gives a row of NaN.
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    public override void EmbeddingForward(Floats table, Ints ids, int N, int V, int C, Floats y) =>
        Launch("embedding_forward", WalkGrid(N, C, rows: 4), table, ids, N, V, C, y);

    /// <inheritdoc/>
    public override void EmbeddingBackward(Floats dy, Ints ids, int N, int V, int C, Target dtable)
    {
        if (dtable.IsNone || V == 0)
            return;
        DeviceBuffer scratch = Pool.Rent(((long)V + 1 + N) * sizeof(int));
        Ints all = scratch.As<int>(V + 1 + N), starts = all.Slice(0, V + 1), rows = all.Slice(V + 1, N);
        Launch("embedding_sort", new Grid(CeilingDivide(V, Grid.BlockSize)), ids, N, V, starts, rows);
        Launch("embedding_backward", new Grid(CeilingDivide(V, Grid.BlockSize / LanesOfFours(C)), Y: TileGrid(C, 1).X), dy, starts, rows, V, C, dtable);
        Pool.Return(scratch);
    }
}
