using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// The auction and Sinkhorn's iteration for many tokens: all rounds there may be are queued, see native/kernels/balancing_blocks.cu.
public sealed unsafe partial class CudaBackend
{
    /// <summary>Tokens from which on an auction takes many blocks: below, its launches would take longer than its work.</summary>
    private const int AuctionOfManyBlocks = 2048;

    /// <summary>Elements beyond which Sinkhorn's iteration takes many blocks.</summary>
    private const long SinkhornOfManyBlocks = 1 << 15;

    private const int MostSinkhornColumns = 8192; // whose factors each block keeps

    private const int AuctionRounds = 100, SinkhornRounds = 100;                            // as in balancing.cuh
    private const int MostSurveys = 128, MostSinkhornPieces = 128, LeastSinkhornRows = 128;

    private void AuctionOverBlocks(Floats scores, int N, int E, Floats offers, Ints wants, View<double> list, Ints choices)
    {
        int lanes = LanesOf(E), most = Ceiling.Divide(N, BalancingThreads / lanes);
        Grid few = new(Math.Min(most, MostSurveys), Threads: BalancingThreads), many = new(most, Threads: BalancingThreads);
        Grid one = new(1, Threads: BalancingThreads), experts = new(E, Threads: BalancingThreads);
        int length = 2 + AuctionRounds + 1 + 3 * E; // struct Auction
        DeviceBuffer surveyScratch = Pool.Rent(3L * few.X * sizeof(float)), scratch = Pool.Rent((long)length * sizeof(int));
        Floats surveys = surveyScratch.As<float>(3 * few.X);
        Ints memory = scratch.As<int>(length);

        Launch("auction_survey", few, scores, N, E, lanes, surveys, wants, choices);
        Launch("auction_open", one, surveys, few.X, E, memory);
        for (int round = 0; round < AuctionRounds; round++)
        {
            Launch("auction_bid", many, round, scores, N, E, lanes, memory, offers, wants, choices);
            Launch("auction_seat", experts, round, N, E, memory, offers, wants, list, choices);
        }

        Launch("auction_close", one, scores, N, E, memory, choices);
        Pool.Return(scratch);
        Pool.Return(surveyScratch);
    }

    private void SinkhornOverBlocks(Floats logits, int N, int E, Floats plan)
    {
        int rows = Math.Max(LeastSinkhornRows, Ceiling.Divide(N, MostSinkhornPieces)), pieces = Ceiling.Divide(N, rows), lanes = LanesOf(E);
        Grid grid = new(pieces, Threads: BalancingThreads, SharedBytes: E * sizeof(float));
        long length = N + 3L * E + 2L * pieces * E + pieces + 2; // struct Iteration
        DeviceBuffer scratch = Pool.Rent(length * sizeof(float));
        Floats memory = scratch.As<float>((int)length);

        Launch("sinkhorn_start", grid with { SharedBytes = 0 }, logits, N, E, lanes, rows, memory, plan);
        for (int round = 0; round < SinkhornRounds; round++)
            Launch("sinkhorn_round", grid, round, plan, N, E, lanes, rows, memory);
        Launch("sinkhorn_plan", grid, N, E, lanes, rows, memory, plan);
        Pool.Return(scratch);
    }
}
