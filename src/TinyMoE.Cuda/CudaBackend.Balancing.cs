using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Assignments that are balanced by construction: one block goes through all the rounds, see native/kernels/balancing.cu.
public sealed unsafe partial class CudaBackend
{
    private const int BalancingThreads = 512; // BlockSize there
    private const int SinkhornSharedBytes = MostSharedBytes - BalancingThreads * sizeof(float);

    /// <inheritdoc/>
    public override void AssignBalanced(Floats scores, int T, int E, Ints choices)
    {
        if (T == 0)
            return;
        int expertBytes = 3 * E * sizeof(int);
        bool fit = expertBytes <= MostSharedBytes;
        DeviceBuffer offerScratch = Pool.Rent((long)T * sizeof(float)), wantScratch = Pool.Rent((long)T * sizeof(int)),
            listScratch = Pool.Rent((long)T * sizeof(ulong));
        DeviceBuffer? expertScratch = fit ? null : Pool.Rent(expertBytes);
        Launch("assign_balanced", new Grid(1, Threads: BalancingThreads, SharedBytes: fit ? expertBytes : 0), scores, T, E, LanesOf(E),
            offerScratch.As<float>(T), wantScratch.As<int>(T), listScratch.As<double>(T), expertScratch?.As<int>(3 * E) ?? default,
            choices);
        if (expertScratch is not null)
            Pool.Return(expertScratch);
        Pool.Return(listScratch);
        Pool.Return(wantScratch);
        Pool.Return(offerScratch);
    }

    /// <inheritdoc/>
    public override void Sinkhorn(Floats logits, int T, int E, Floats plan)
    {
        if (T == 0)
            return;
        long floats = (long)T * E + T + E;
        bool fit = floats * sizeof(float) <= SinkhornSharedBytes;
        DeviceBuffer? scratch = fit ? null : Pool.Rent(floats * sizeof(float));
        Launch("sinkhorn", new Grid(1, Threads: BalancingThreads, SharedBytes: fit ? (int)floats * sizeof(float) : 0),
            logits, T, E, LanesOf(E), scratch?.As<float>((int)floats) ?? default, plan);
        if (scratch is not null)
            Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void StepBias(Floats counts, int E, float rate, Floats bias) =>
        Launch("step_bias", new Grid(1, Threads: BalancingThreads), counts, E, rate, bias);
}
