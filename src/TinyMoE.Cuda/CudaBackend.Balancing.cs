using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Assignments that are balanced by construction: of few tokens one block goes through all the rounds, see native/kernels/balancing.cu;
// of many, CudaBackend.BalancingBlocks.cs.
public sealed unsafe partial class CudaBackend
{
    private const int BalancingThreads = 512; // BlockSize there
    private const int SinkhornSharedBytes = MostSharedBytes - BalancingThreads * sizeof(float);

    /// <inheritdoc/>
    public override void AssignBalanced(Floats scores, int N, int E, Ints choices)
    {
        if (N == 0)
            return;
        DeviceBuffer offerScratch = Pool.Rent((long)N * sizeof(float)), wantScratch = Pool.Rent((long)N * sizeof(int)),
            listScratch = Pool.Rent((long)N * sizeof(ulong));
        Floats offers = offerScratch.As<float>(N);
        Ints wants = wantScratch.As<int>(N);
        View<double> list = listScratch.As<double>(N);
        if (N >= AuctionOfManyBlocks)
            AuctionOverBlocks(scores, N, E, offers, wants, list, choices);
        else
            AuctionInOneBlock(scores, N, E, offers, wants, list, choices);
        Pool.Return(listScratch);
        Pool.Return(wantScratch);
        Pool.Return(offerScratch);
    }

    /// <inheritdoc/>
    public override void Sinkhorn(Floats logits, int N, int E, Floats plan)
    {
        if (N == 0)
            return;
        if ((long)N * E > SinkhornOfManyBlocks && E <= MostSinkhornColumns)
        {
            SinkhornOverBlocks(logits, N, E, plan);
            return;
        }

        long floats = (long)N * E + N + E;
        bool fit = floats * sizeof(float) <= SinkhornSharedBytes;
        DeviceBuffer? scratch = fit ? null : Pool.Rent(floats * sizeof(float));
        Launch("sinkhorn", new Grid(1, Threads: BalancingThreads, SharedBytes: fit ? (int)floats * sizeof(float) : 0),
            logits, N, E, LanesOf(E), scratch?.As<float>((int)floats) ?? default, plan);
        if (scratch is not null)
            Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void StepBias(Floats counts, int E, float rate, Floats bias) =>
        Launch("step_bias", new Grid(1, Threads: BalancingThreads), counts, E, rate, bias);

    private void AuctionInOneBlock(Floats scores, int N, int E, Floats offers, Ints wants, View<double> list, Ints choices)
    {
        int expertBytes = 3 * E * sizeof(int);
        bool fit = expertBytes <= MostSharedBytes;
        DeviceBuffer? expertScratch = fit ? null : Pool.Rent(expertBytes);
        Launch("assign_balanced", new Grid(1, Threads: BalancingThreads, SharedBytes: fit ? expertBytes : 0), scores, N, E, LanesOf(E),
            offers, wants, list, expertScratch?.As<int>(3 * E) ?? default, choices);
        if (expertScratch is not null)
            Pool.Return(expertScratch);
    }
}
