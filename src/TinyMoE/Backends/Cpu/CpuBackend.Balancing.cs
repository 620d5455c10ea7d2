using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>Assignments that are balanced by construction: an auction, Sinkhorn's iteration, a bias that follows the load.</remarks>
public sealed unsafe partial class CpuBackend
{
    private const int AuctionRounds = 100;
    private const float LeastBidStep = 1e-4f, BidStepsOfRange = 50f;
    private const float Absent = -1e30f; // a row that begins below this is not there
    // a score below this is of an expert that the token must do without: it must not make the bids coarse
    private const float Masked = -1e8f;
    private const int SinkhornRounds = 100;
    private const float SinkhornTolerance = 1e-4f, SinkhornEpsilon = 1e-8f;

    /// <inheritdoc/>
    /// <remarks>
    /// In each round every token without a seat bids for the expert that is worth most to it, score − price: as much as
    /// keeps that expert as good as its second best, and a step more. An expert keeps its highest bids; the lowest of
    /// them is its price once its seats are taken. Who is still outside after the last round takes the best free seat.
    /// </remarks>
    public override void AssignBalanced(Floats scores, int N, int E, Ints choices)
    {
        DeviceBuffer bidScratch = Pool.Rent((long)N * sizeof(float)), priceScratch = Pool.Rent((long)E * sizeof(float)),
            wantScratch = Pool.Rent((long)N * sizeof(int));
        Floats bids = bidScratch.As<float>(N), prices = priceScratch.As<float>(E);
        Ints wants = wantScratch.As<int>(N);                     // the expert a token sits at or bids for
        prices.Span.Clear();
        float low = float.PositiveInfinity, high = float.NegativeInfinity;
        int present = 0;
        for (int n = 0; n < N; n++)
        {
            choices.Pointer[n] = wants.Pointer[n] = Dropped;
            if (!IsPresent(scores, n, E))
                continue;
            present++;
            foreach (float score in Row(scores, n, E))
            {
                if (score > Masked)
                    (low, high) = (Math.Min(low, score), Math.Max(high, score));
            }
        }

        int seats = Ceiling.Divide(present, E), outside = present;
        float step = Math.Max(LeastBidStep, (high - low) / BidStepsOfRange);
        for (int round = 0; round < AuctionRounds && outside > 0; round++)
        {
            ForRows(N, E, (scores, E, step, choices, prices, bids, wants), static (start, end, in s) =>
            {
                for (int n = start; n < end; n++)
                {
                    if (s.choices.Pointer[n] == Dropped && IsPresent(s.scores, n, s.E))
                        (s.wants.Pointer[n], s.bids.Pointer[n]) = Bid(s.scores.Pointer + (nint)n * s.E, s.prices.Pointer, s.E, s.step);
                }
            });
            workers.For(E, (N, seats, choices, prices, bids, wants, workers), static (expert, in s) =>
                s.prices.Pointer[expert] = Seat(expert, s.N, s.seats, s.wants, s.bids, s.choices, s.prices.Pointer[expert], s.workers));
            outside = present;
            for (int n = 0; n < N; n++)
                outside -= choices.Pointer[n] == Dropped ? 0 : 1;
        }

        if (outside > 0)
            TakeFreeSeats(scores, N, E, seats, choices);
        Pool.Return(wantScratch);
        Pool.Return(priceScratch);
        Pool.Return(bidScratch);
    }

    /// <inheritdoc/>
    public override void Sinkhorn(Floats logits, int N, int E, Floats plan)
    {
        int pieces = Ceiling.Divide(N, TokensPerPiece);
        DeviceBuffer rowScratch = Pool.Rent((long)N * sizeof(float)), columnScratch = Pool.Rent((long)(pieces + 1) * E * sizeof(float));
        // r (N); c (E), then the sums of each piece (pieces, E)
        Floats rows = rowScratch.As<float>(N), columns = columnScratch.As<float>((pieces + 1) * E);
        int present = 0;
        for (int n = 0; n < N; n++)
            present += IsPresent(logits, n, E) ? 1 : 0;

        // exp(logits − the row's largest): r takes the factor back
        workers.For(pieces, (logits, N, E, plan), static (piece, in s) =>
        {
            for (int n = piece * TokensPerPiece; n < Math.Min(s.N, (piece + 1) * TokensPerPiece); n++)
            {
                Span<float> x = Row(s.logits, n, s.E), y = Row(s.plan, n, s.E);
                if (!IsPresent(s.logits, n, s.E))
                {
                    y.Clear();
                    continue;
                }

                float largest = System.Numerics.Tensors.TensorPrimitives.Max<float>(x);
                for (int e = 0; e < y.Length; e++)
                    y[e] = MathF.Exp(x[e] - largest);
            }
        });

        columns.Slice(0, E).Span.Fill(1f);
        float change = float.PositiveInfinity;
        for (int round = 0; round < SinkhornRounds && change > SinkhornTolerance; round++)
        {
            workers.For(pieces, (N, E, present, plan, rows, columns), static (piece, in s) =>
            {
                Span<float> c = Row(s.columns, 0, s.E), sums = Row(s.columns, piece + 1, s.E);
                sums.Clear();
                for (int n = piece * TokensPerPiece; n < Math.Min(s.N, (piece + 1) * TokensPerPiece); n++)
                {
                    Span<float> x = Row(s.plan, n, s.E);
                    float sum = 0f;
                    for (int e = 0; e < x.Length; e++)
                        sum += c[e] * x[e];
                    float r = s.rows.Pointer[n] = 1f / (s.present * (sum + SinkhornEpsilon));
                    for (int e = 0; e < x.Length; e++)
                        sums[e] += r * x[e];
                }
            });
            change = 0f;
            for (int e = 0; e < E; e++)
            {
                float sum = 0f;
                for (int piece = 1; piece <= pieces; piece++)
                    sum += columns.Pointer[piece * E + e];
                float c = 1f / (E * (sum + SinkhornEpsilon));
                change += MathF.Abs(c - columns.Pointer[e]) / E;
                columns.Pointer[e] = c;
            }
        }

        for (int n = 0; n < N; n++)
        {
            Span<float> y = Row(plan, n, E);
            for (int e = 0; e < E; e++)
                y[e] *= rows.Pointer[n] * columns.Pointer[e];
        }

        Pool.Return(columnScratch);
        Pool.Return(rowScratch);
    }

    /// <inheritdoc/>
    public override void StepBias(Floats counts, int E, float rate, Floats bias)
    {
        double sum = 0;
        foreach (float count in counts.Span)
            sum += count;
        for (int e = 0; e < E; e++)
            bias.Pointer[e] += rate * Math.Sign(sum / E - counts.Pointer[e]);
    }

    private static bool IsPresent(Floats scores, int n, int E) => !(scores.Pointer[(nint)n * E] < Absent);

    private static (int Expert, float Bid) Bid(float* scores, float* prices, int E, float step)
    {
        int best = 0;
        float first = scores[0] - prices[0], second = float.NegativeInfinity;
        for (int e = 1; e < E; e++)
        {
            float worth = scores[e] - prices[e];
            if (worth > first)
                (best, first, second) = (e, worth, first);
            else if (worth > second)
                second = worth;
        }

        return (best, prices[best] + (E == 1 ? 0f : first - second) + step);
    }

    /// <summary>Seats the highest bids for an expert, unseats the others; its price from now on.</summary>
    private static float Seat(int expert, int N, int seats, Ints wants, Floats bids, Ints choices, float price, Workers workers)
    {
        Span<ulong> ranks = Ranks(workers, N);
        int found = 0;
        for (int n = 0; n < N; n++)
        {
            if (wants.Pointer[n] != expert)
                continue;
            choices.Pointer[n] = Dropped;
            ranks[found++] = Rank(bids.Pointer[n], n);
        }

        if (found > seats)
            ranks[..found].Sort();
        int seated = Math.Min(found, seats);
        float lowest = float.PositiveInfinity;
        foreach (ulong rank in ranks[..seated])
        {
            int n = PlaceOf(rank);
            choices.Pointer[n] = expert;
            lowest = Math.Min(lowest, bids.Pointer[n]);
        }

        return found < seats ? price : lowest;
    }

    private static void TakeFreeSeats(Floats scores, int N, int E, int seats, Ints choices)
    {
        Span<int> free = stackalloc int[E];
        free.Fill(seats);
        foreach (int expert in choices.Span)
        {
            if (expert != Dropped)
                free[expert]--;
        }

        for (int n = 0; n < N; n++)
        {
            if (choices.Pointer[n] != Dropped || !IsPresent(scores, n, E))
                continue;
            int best = Dropped;
            for (int e = 0; e < E; e++)
            {
                if (free[e] > 0 && (best == Dropped || scores.Pointer[(nint)n * E + e] > scores.Pointer[(nint)n * E + best]))
                    best = e;
            }

            choices.Pointer[n] = best;
            free[best]--;
        }
    }
}
