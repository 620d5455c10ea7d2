using TinyMoE.Backends.Cpu;

namespace TinyMoE.Benchmarks;

/// <summary>Times a product on TinyMoE and on OpenBLAS in turns.</summary>
internal sealed unsafe class MatmulTimer(OpenBlas? peer, int rounds)
{
    private const int WarmUpRounds = 2;
    private const int RestMilliseconds = 150; // until the threads of the other stop spinning: OpenBLAS lets them for a tenth of a second
    private const double SecondsPerRound = 0.02, ExpectedRate = 50e9;

    /// <summary>GFLOP/s of TinyMoE and of OpenBLAS, which is called once for each expert.</summary>
    public (double Ours, double? Peer) Rates(CpuBackend backend, MatmulShape shape, int threads)
    {
        int E = shape.E;
        bool isWeightGradient = shape.Offsets is not null && shape.TransposeA;
        using Operands operands = new(backend);
        Floats a = operands.Random(shape.Rows * shape.Inner);
        Floats b = operands.Random(shape.Inner * shape.Columns * (isWeightGradient ? 1 : E));
        Floats c = operands.Random(shape.Rows * shape.Columns * (isWeightGradient ? E : 1));
        Ints offsets = operands.Indices(shape.Offsets ?? [0]);

        Action ours = Ours(backend, shape, a, b, c, offsets), theirs = () => Theirs(shape, a.Pointer, b.Pointer, c.Pointer);
        peer?.SetThreads(threads);
        List<double> oursSeconds = [], peerSeconds = [];
        int calls = Math.Max(1, (int)(SecondsPerRound * ExpectedRate / shape.Operations));
        for (int round = -WarmUpRounds; round < rounds; round++)
        {
            Thread.Sleep(RestMilliseconds);
            double oursNow = Measuring.SecondsPerCall(ours, calls);
            Thread.Sleep(RestMilliseconds);
            double peerNow = peer is null ? 0 : Measuring.SecondsPerCall(theirs, calls);
            if (round < 0)
                continue;
            oursSeconds.Add(oursNow);
            peerSeconds.Add(peerNow);
        }

        double operations = 1e-9 * shape.Operations;
        return (operations / Measuring.Median(oursSeconds), peer is null ? null : operations / Measuring.Median(peerSeconds));
    }

    /// <summary>GFLOP/s of the micro-kernel on one thread with its operands in the first-level cache.</summary>
    public static double MicroKernelRate(MicroKernel kernel)
    {
        const int Depth = 128, Calls = 2000, Rounds = 7;
        float* a = stackalloc float[Depth * kernel.Rows], b = stackalloc float[Depth * kernel.Columns],
            c = stackalloc float[kernel.Rows * kernel.Columns];
        nint aAddress = (nint)a, bAddress = (nint)b, cAddress = (nint)c;
        double seconds = Enumerable.Range(0, Rounds).Min(_ => Measuring.SecondsPerCall(
            () => kernel.OfWidth(kernel.Columns)(
                Depth, (float*)aAddress, 1, kernel.Rows, (float*)bAddress, kernel.Columns, (float*)cAddress, kernel.Columns, false),
            Calls));
        return 2e-9 * Depth * kernel.Rows * kernel.Columns / seconds;
    }

    private static Action Ours(CpuBackend backend, MatmulShape s, Floats a, Floats b, Floats c, Ints offsets) =>
        (s.Offsets, s.TransposeA, s.TransposeB) switch
        {
            (null, _, _) => () => backend.MatMul(a, s.TransposeA, b, s.TransposeB, 1, s.Rows, s.Columns, s.Inner, c),
            (_, true, _) => () => backend.GroupedMatMulBackwardWeight(a, b, offsets, s.E, s.Inner, inputs: s.Columns, outputs: s.Rows, c),
            (_, _, true) => () => backend.GroupedMatMul(a, b, offsets, s.E, s.Rows, inputs: s.Inner, outputs: s.Columns, c),
            _ => () => backend.GroupedMatMulBackwardInput(a, b, offsets, s.E, s.Rows, inputs: s.Columns, outputs: s.Inner, c),
        };

    private void Theirs(MatmulShape s, float* a, float* b, float* c)
    {
        for (int e = 0; e < s.E; e++)
        {
            (int start, int end) = s.Offsets is null ? (0, s.TransposeA ? s.Inner : s.Rows) : (s.Offsets[e], s.Offsets[e + 1]);
            if (start == end)
                continue;
            if (s.TransposeA) // (inner, rows)ᵀ·(inner, columns): the experts' inner rows lie one after another
                peer!.Multiply(
                    true, s.TransposeB, s.Rows, s.Columns, end - start, a + start * s.Rows, s.Rows, b + start * s.Columns, s.Columns,
                    c + e * s.Rows * s.Columns, s.Columns);
            else
                peer!.Multiply(
                    false, s.TransposeB, end - start, s.Columns, s.Inner, a + start * s.Inner, s.Inner, b + e * s.Inner * s.Columns,
                    s.TransposeB ? s.Inner : s.Columns, c + start * s.Columns, s.Columns);
        }
    }
}
