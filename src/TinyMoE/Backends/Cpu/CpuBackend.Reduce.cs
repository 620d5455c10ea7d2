using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// Sums over rows: the rows are cut into at most MostBlocks blocks, each block adds its rows into its
// own partial row, and the partials are added block by block. Sums over columns: a row is cut into runs
// of PieceSize, a run is summed in floats, the runs in double. Neither order depends on the threads.
public sealed unsafe partial class CpuBackend
{
    private const int MostBlocks = 64;

    /// <inheritdoc/>
    protected override void SumRows(Floats x, float scale, int N, int C, Target y)
    {
        if (y.IsNone)
            return;
        SumOverRows(N, C, (x, C), y, Target.None, scale, static (start, end, in s, partial, _) =>
        {
            Span<float> sum = partial.Span;
            for (int n = start; n < end; n++)
                TensorPrimitives.Add<float>(sum, s.x.Slice(n * s.C, s.C).Span, sum);
        });
    }

    /// <inheritdoc/>
    public override void SumColumns(Floats x, float scale, int N, int C, Target y)
    {
        if (y.IsNone)
            return;
        if (C <= PieceSize)
        {
            ForRows(N, C, (x, scale, C, y), static (start, end, in s) =>
            {
                for (int n = start; n < end; n++)
                    Write(s.y, n, s.scale * TensorPrimitives.Sum<float>(s.x.Slice(n * s.C, s.C).Span));
            });
            return;
        }

        int runs = Ceiling.Divide(C, PieceSize);
        DeviceBuffer buffer = Pool.Rent((long)N * runs * sizeof(float));
        Floats sums = buffer.As<float>(N * runs); // (N, runs)
        workers.For(N * runs, (x, C, runs, sums), static (piece, in s) =>
        {
            int n = piece / s.runs;
            var (start, length) = Range(piece % s.runs, s.C);
            s.sums.Span[piece] = TensorPrimitives.Sum<float>(s.x.Slice(n * s.C + start, length).Span);
        });
        for (int n = 0; n < N; n++)
        {
            double sum = 0;
            foreach (float run in sums.Slice(n * runs, runs).Span)
                sum += run;
            Write(y, n, (float)(scale * sum));
        }

        Pool.Return(buffer);
    }

    /// <inheritdoc/>
    public override void BroadcastRows(Floats x, float scale, int N, int C, Target y)
    {
        if (y.IsNone)
            return;
        ForRows(N, C, (x, scale, C, y), static (start, end, in s) =>
        {
            for (int n = start; n < end; n++)
            {
                Span<float> x = s.x.Span, y = s.y.View.Slice(n * s.C, s.C).Span;
                if (s.y.Adds)
                    TensorPrimitives.MultiplyAdd(x, s.scale, y, y);
                else
                    TensorPrimitives.Multiply(x, s.scale, y);
            }
        });
    }

    /// <inheritdoc/>
    public override void BroadcastColumns(Floats x, float scale, int N, int C, Target y)
    {
        if (y.IsNone)
            return;
        ForElements(N * C, (x, scale, C, y), static (start, end, in s) =>
        {
            for (int i = start, next; i < end; i = next)
            {
                int n = i / s.C;
                next = Math.Min((n + 1) * s.C, end);             // a stretch may begin and end inside a row
                Span<float> y = s.y.View.Slice(i, next - i).Span;
                float value = s.scale * s.x.Span[n];
                if (s.y.Adds)
                    TensorPrimitives.Add(y, value, y);
                else
                    y.Fill(value);
            }
        });
    }

    /// <summary>Adds rows start to before end into the partial sums of their block; an unwanted sum is an empty view.</summary>
    private delegate void RowBlock<TState>(int start, int end, in TState state, Floats first, Floats second)
        where TState : struct;

    /// <summary>
    /// One or two sums over N rows of C elements, scaled, in a fixed order. The body visits each block of rows
    /// once, in parallel, and may do other work on them in the same pass; it runs even when no sum is wanted.
    /// </summary>
    private void SumOverRows<TState>(int N, int C, TState state, Target first, Target second, float scale, RowBlock<TState> body)
        where TState : struct
    {
        int rows = RowsPerBlock(N, C), blocks = Ceiling.Divide(N, rows);
        DeviceBuffer buffer = Pool.Rent(2L * blocks * C * sizeof(float));
        // (blocks, C)
        Floats ones = buffer.As<float>(2 * blocks * C).Slice(0, blocks * C),
            twos = buffer.As<float>(2 * blocks * C).Slice(blocks * C, blocks * C);
        workers.For(
            blocks, (N, C, rows, state, wantsOne: !first.IsNone, wantsTwo: !second.IsNone, ones, twos, body), static (block, in s) =>
        {
            Floats one = s.wantsOne ? s.ones.Slice(block * s.C, s.C) : default, two = s.wantsTwo ? s.twos.Slice(block * s.C, s.C) : default;
            one.Span.Clear();
            two.Span.Clear();
            s.body(block * s.rows, Math.Min(s.N, (block + 1) * s.rows), in s.state, one, two);
        });
        if (!first.IsNone)
            AddPartials(ones, scale, blocks, C, first);
        if (!second.IsNone)
            AddPartials(twos, scale, blocks, C, second);
        Pool.Return(buffer);
    }

    /// <summary>Rows of a block, the last of which may have fewer: the order of the sums, whatever the threads.</summary>
    private static int RowsPerBlock(int N, int C) => Math.Max(RowsPerPiece(C), Ceiling.Divide(N, MostBlocks));

    /// <summary>y = scale·Σ_block partials. partials (blocks, C), overwritten; y (C).</summary>
    private static void AddPartials(Floats partials, float scale, int blocks, int C, Target y)
    {
        Span<float> total = y.View.Span;
        if (!y.Adds)
            total.Clear();
        if (blocks == 0)
            return;
        Span<float> sum = partials.Slice(0, C).Span;
        for (int block = 1; block < blocks; block++)
            TensorPrimitives.Add<float>(sum, partials.Slice(block * C, C).Span, sum);
        TensorPrimitives.MultiplyAdd(sum, scale, total, total);
    }

    private static void Write(Target y, int index, float value)
    {
        float* at = y.View.Pointer + index;
        *at = y.Adds ? *at + value : value;
    }
}
