using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// Top-k routing, logits to plan. A counting sort in three steps: each piece of tokens chooses experts and counts them; the counts become
/// each piece's first row of each expert; each piece places its choices in order. Pieces are consecutive, hence the sort is stable.
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    private const int TokensPerPiece = 512, FewestTokens = 64;
    private const int Dropped = -1; // a choice that no expert serves
    private const int NoKey = int.MinValue; // the key of no value, below that of NaN

    /// <inheritdoc/>
    public override void TopK(Floats x, int N, int groups, int E, int K, Ints columns)
    {
        int rows = N * groups;                                   // a group is a row of its own
        ForRows(rows, E, (x, groups, E, K, columns, workers), static (start, end, in s) =>
        {
            int* keys = (int*)Address(s.workers.ThreadScratch(KeysOf(s.E)));
            for (int row = start; row < end; row++)
            {
                int* columns = s.columns.Pointer + row * s.K;
                KeepLargest(s.x.Pointer + row * s.E, s.E, s.K, keys, columns);
                int first = row % s.groups * s.E;
                for (int k = 0; k < s.K; k++)
                    columns[k] += first;
            }
        });
    }

    /// <inheritdoc/>
    public override void Assign(
        Ints experts, int N, int E, int K, int rows, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets,
        Floats gates = default, Floats rowGates = default)
    {
        int size = TokensOf(N), pieces = Ceiling.Divide(N, size);
        DeviceBuffer scratch = Pool.Rent((long)pieces * E * sizeof(int));
        Ints counts = scratch.As<int>(pieces * E);               // (pieces, E)
        workers.For(pieces, (experts, N, size, E, K, counts), static (piece, in s) =>
            Count(TokenChoices(s.experts, piece, s.size, s.N, s.K), s.counts.Slice(piece * s.E, s.E).Span));
        Place(experts, size, N, E, K, counts, offsets, tokens, rowsByToken, tokenOffsets, choices, gates, rowGates);
        int kept = offsets.Pointer[E];
        if (!rowGates.IsNone)
            rowGates.Slice(kept, rows - kept).Span.Clear();
        tokens.Slice(kept, rows - kept).Span.Fill(-1);
        choices.Slice(kept, rows - kept).Span.Fill(-1);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void RouteForward(
        Floats logits, bool overAll, int N, int E, int K, Ints experts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets,
        Floats rowGates)
    {
        int size = TokensOf(N), pieces = Ceiling.Divide(N, size);
        DeviceBuffer scratch = Pool.Rent((long)pieces * E * sizeof(int)), gateScratch = Pool.Rent((long)N * K * sizeof(float));
        Ints counts = scratch.As<int>(pieces * E);               // (pieces, E)
        Floats gates = gateScratch.As<float>(N * K);             // (N, K)
        workers.For(
            pieces, (loop: new RouteLoop(logits, overAll, E, K, experts, gates, workers), experts, N, size, E, K, counts),
            static (piece, in s) =>
        {
            Simd.Run(in s.loop, piece * s.size, Math.Min(s.N, (piece + 1) * s.size), s.E);
            Count(TokenChoices(s.experts, piece, s.size, s.N, s.K), s.counts.Slice(piece * s.E, s.E).Span);
        });
        Place(experts, size, N, E, K, counts, offsets, tokens, rowsByToken, tokenOffsets, default, gates, rowGates);
        Pool.Return(gateScratch);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void RouteBackward(
        Floats drowGates, Floats logits, Floats rowGates, bool overAll, Ints experts, Ints rowsByToken, int N, int E, int K, Target dlogits)
    {
        if (!dlogits.IsNone)
            ForRows(N, E, new RouteBackwardLoop(drowGates, logits, rowGates, overAll, experts, rowsByToken, E, K, dlogits));
    }

    /// <inheritdoc/>
    public override void SelectColumns(Floats x, Ints columns, int N, int E, int K, Target y)
    {
        ForRows(N, K, (x, columns, E, K, y), static (start, end, in s) =>
        {
            for (int n = start; n < end; n++)
            {
                Span<float> x = s.x.Slice(n * s.E, s.E).Span, y = s.y.View.Slice(n * s.K, s.K).Span;
                Span<int> columns = s.columns.Slice(n * s.K, s.K).Span;
                for (int k = 0; k < columns.Length; k++)
                {
                    float value = columns[k] < 0 ? 0f : x[columns[k]];
                    y[k] = s.y.Adds ? y[k] + value : value;
                }
            }
        });
    }

    /// <inheritdoc/>
    public override void ScatterColumns(Floats x, Ints columns, int N, int E, int K, Target y)
    {
        ForRows(N, E, (x, columns, E, K, y), static (start, end, in s) =>
        {
            for (int n = start; n < end; n++)
            {
                Span<float> x = s.x.Slice(n * s.K, s.K).Span, y = s.y.View.Slice(n * s.E, s.E).Span;
                Span<int> columns = s.columns.Slice(n * s.K, s.K).Span;
                if (!s.y.Adds)
                    y.Clear();
                for (int k = 0; k < columns.Length; k++)
                {
                    if (columns[k] >= 0)
                        y[columns[k]] += x[k];
                }
            }
        });
    }

    /// <inheritdoc/>
    public override void Scatter(Floats x, Ints indices, int n, int length, Target y)
    {
        if (y.IsNone)
            return;
        if (!y.Adds)
            y.View.Span.Clear();
        ForElements(n, (x, indices, y), static (start, end, in s) =>
        {
            int length = end - start;
            Span<float> x = s.x.Slice(start, length).Span, y = s.y.View.Span;
            Span<int> indices = s.indices.Slice(start, length).Span;
            for (int i = 0; i < x.Length; i++)
            {
                if (indices[i] >= 0)
                    y[indices[i]] += x[i];
            }
        });
    }

    /// <summary>Columns of the K largest of x (E), largest first, the lower column among equals, NaN below everything. K ≤ E; keys has
    /// room for <see cref="KeysOf(int)"/>.</summary>
    private static void KeepLargest(float* x, int E, int K, int* keys, int* columns)
    {
        // K rounds: the largest key, its first place, which then is taken out. No jump depends on the values, which no processor
        // could foretell: each is a whole number that is in order, and a bit for every place says where the largest is.
        for (int e = 0; e < E; e += Vector256<int>.Count)
            Keys(Simd256.Load(x + e, E - e), E - e).Store(keys + e);
        for (int k = 0; k < K; k++)
        {
            Vector256<int> best = Vector256.Load(keys);
            for (int e = Vector256<int>.Count; e < E; e += Vector256<int>.Count)
                best = Vector256.Max(best, Vector256.Load(keys + e));
            int column = FirstOf(Vector256.Create(Largest(best)), keys, E), start = column & -Vector256<int>.Count;
            Vector256<int> here = Vector256.Equals(Vector256.Create(column - start), Vector256<int>.Indices);
            Vector256.ConditionalSelect(here, Vector256.Create(NoKey), Vector256.Load(keys + start)).Store(keys + start);
            columns[k] = column;
        }
    }

    /// <summary>Room for the keys of so many values: whole vectors.</summary>
    private static int KeysOf(int E) => Ceiling.Multiple(E, Vector256<int>.Count);

    /// <summary>Whole numbers in the order of the values, −0 being 0 and NaN below all;
    /// <see cref="NoKey"/> beyond the first <paramref name="left"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Keys(Vector256<float> values, int left)
    {
        Vector256<int> bits = (values + Vector256<float>.Zero).AsInt32();
        Vector256<int> rising = bits ^ ((bits >> 31) & Vector256.Create(int.MaxValue)); // of a negative one all bits but the sign turn over
        rising = Vector256.ConditionalSelect(Vector256.Equals(values, values).AsInt32(), rising, Vector256.Create(NoKey + 1));
        return Vector256.ConditionalSelect(
            Vector256.GreaterThan(Vector256.Create(left), Vector256<int>.Indices), rising, Vector256.Create(NoKey));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Largest(Vector256<int> keys)
    {
        Vector128<int> four = Vector128.Max(keys.GetLower(), keys.GetUpper());
        Vector128<int> two = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.Max(two, Vector128.Shuffle(two, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>The first of E places with this key, which one of them has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FirstOf(Vector256<int> key, int* keys, int E)
    {
        for (int start = 0; ; start += 64)
        {
            ulong places = 0;
            for (int e = start, end = Math.Min(E, start + 64); e < end; e += Vector256<int>.Count)
                places |= (ulong)Vector256.Equals(key, Vector256.Load(keys + e)).ExtractMostSignificantBits() << (e - start);
            if (places != 0)
                return start + BitOperations.TrailingZeroCount(places);
        }
    }

    /// <summary>How many of the choices are each expert's. counts (E).</summary>
    private static void Count(ReadOnlySpan<int> choices, Span<int> counts)
    {
        counts.Clear();
        foreach (int expert in choices)
        {
            if (expert != Dropped)
                counts[expert]++;
        }
    }

    /// <summary>From the counts of each piece (pieces, E), which it uses up, to the
    /// plan; choices, and gates with rowGates, only where they are wanted.</summary>
    private void Place(
        Ints experts, int size, int N, int E, int K, Ints counts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets,
        Ints choices, Floats gates, Floats rowGates)
    {
        // counts (pieces, E) is summed both ways. Along a piece: how many choices the tokens before it kept, which is
        // where its tokens begin in rowsByToken. Down an expert: how many rows it has in the pieces before, which is where
        // this piece continues its rows. Then every piece can be placed by itself, and the plan is that of one thread.
        int inverse = 0, row = 0;
        for (int n = 0, i = 0; n < N; n += size)
        {
            tokenOffsets.Pointer[n] = inverse;                   // where each piece begins in rowsByToken
            for (int e = 0; e < E; e++)
                inverse += counts.Pointer[i++];
        }

        tokenOffsets.Pointer[N] = inverse;
        for (int e = 0; e < E; e++)
        {
            offsets.Pointer[e] = row;
            for (int i = e; i < counts.Length; i += E)
                (counts.Pointer[i], row) = (row, row + counts.Pointer[i]);
        }

        offsets.Pointer[E] = row;
        workers.For(Ceiling.Divide(N, size),
            (experts, size, N, E, K, counts, tokens, rowsByToken, tokenOffsets, choices, gates, rowGates), static (piece, in s) =>
        {
            int* next = s.counts.Pointer + piece * s.E, experts = s.experts.Pointer, tokens = s.tokens.Pointer,
                rowsByToken = s.rowsByToken.Pointer, tokenOffsets = s.tokenOffsets.Pointer, choices = s.choices.Pointer;
            float* gates = s.gates.Pointer, rowGates = s.rowGates.Pointer;
            int K = s.K, start = piece * s.size, end = Math.Min(s.N, start + s.size), inverse = tokenOffsets[start];
            for (int n = start; n < end; n++)
            {
                tokenOffsets[n] = inverse;
                for (int choice = n * K; choice < (n + 1) * K; choice++)
                {
                    int expert = experts[choice];
                    if (expert == Dropped)
                        continue;
                    int row = next[expert]++;
                    tokens[row] = n;
                    rowsByToken[inverse++] = row;
                    if (choices is not null)
                        choices[row] = choice;
                    if (rowGates is not null)
                        rowGates[row] = gates[choice];
                }
            }
        });
    }

    /// <summary>Tokens of a piece: fewer where more threads are. Only counts are summed over them, and these are exact.</summary>
    private int TokensOf(int N) => Math.Clamp(
        N / (PiecesPerThread * workers.Threads), workers.Threads > Products.ManyThreads ? FewestTokens / 2 : FewestTokens, TokensPerPiece);

    /// <summary>The choices of one piece of tokens.</summary>
    private static ReadOnlySpan<int> TokenChoices(Ints experts, int piece, int size, int N, int K)
    {
        int start = piece * size;
        return experts.Slice(start * K, Math.Min(size, N - start) * K).Span;
    }

    /// <summary>The experts of each token and their gates: the softmax over
    /// the chosen logits, or the chosen of the softmax over all.</summary>
    private readonly record struct RouteLoop(
        Floats Logits, bool OverAll, int E, int K, Ints Experts, Floats Gates, Workers Workers) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            // the keys of a token's logits, and then its K largest logits in whole vectors, or the softmax over all
            float* kept = Address(Workers.ThreadScratch(Ceiling.Multiple(E, Vector512<float>.Count)));
            int chosenInVectors = Ceiling.Multiple(K, TSimd.Count);
            for (int n = start; n < end; n++)
            {
                float* x = Logits.Pointer + n * E, gates = Gates.Pointer + n * K;
                int* chosen = Experts.Pointer + n * K;
                KeepLargest(x, E, K, (int*)kept, chosen);
                if (OverAll)
                {
                    SoftmaxRow<TSimd, TVector>(x, E, kept);
                    for (int k = 0; k < K; k++)
                        gates[k] = kept[chosen[k]];
                    continue;
                }

                for (int k = 0; k < chosenInVectors; k++)
                    kept[k] = k < K ? x[chosen[k]] : float.NegativeInfinity;
                SoftmaxRow<TSimd, TVector>(kept, chosenInVectors, kept);
                for (int k = 0; k < K; k++)
                    gates[k] = kept[k];
            }
        }
    }

    /// <summary>With g the gates and dot = Σ_k g[k]·dg[k]: of a chosen logit
    /// g·(dg − dot); of another, when it is in the softmax, −p·dot.</summary>
    private readonly record struct RouteBackwardLoop(
        Floats DrowGates, Floats Logits, Floats RowGates, bool OverAll, Ints Experts, Ints RowsByToken, int E, int K, Target Dlogits)
        : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int E = this.E, K = this.K;
            float* rowGates = RowGates.Pointer, drowGates = DrowGates.Pointer;
            for (int n = start; n < end; n++)
            {
                float* dx = Dlogits.View.Pointer + n * E;
                int* chosen = Experts.Pointer + n * K, rows = RowsByToken.Pointer + n * K;
                float dot = 0f;
                for (int k = 0; k < K; k++)
                    dot += rowGates[rows[k]] * drowGates[rows[k]];
                if (OverAll)
                {
                    // p[e] = exp(x[e] − log Σ exp), and the largest gate knows the sum
                    float* x = Logits.Pointer + n * E;
                    ScaledSoftmax<TSimd, TVector>(x, x[chosen[0]] - MathF.Log(rowGates[rows[0]]), -dot, E, dx, Dlogits.Adds);
                }
                else if (!Dlogits.Adds)
                {
                    new Span<float>(dx, E).Clear();
                }

                float others = OverAll ? 0f : dot;
                for (int k = 0; k < K; k++)
                    dx[chosen[k]] += rowGates[rows[k]] * (drowGates[rows[k]] - others);
            }
        }
    }
}
