using System.Diagnostics;
using TinyMoE.Backends.Cpu;

namespace TinyMoE.Tests.Backends;

public sealed class WorkersTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public void For_ManySmallLoops_EveryPieceExactlyOnce(int threads)
    {
        using Workers workers = new(threads);
        int[] calls = new int[41];
        Stopwatch watch = Stopwatch.StartNew();
        int loops = 0;
        for (; loops < 100_000 && watch.ElapsedMilliseconds < 500; loops++)
        {
            int pieces = loops % 41;
            // plain writes: a piece run twice at once would be lost or doubled
            workers.For(pieces, (calls, loops), static (piece, in s) => s.calls[piece] += 1 + 1000 * (s.loops % 3));
            int expected = 1 + 1000 * (loops % 3);
            for (int piece = 0; piece < calls.Length; piece++)
            {
                Assert.True(calls[piece] == (piece < pieces ? expected : 0),
                    $"loop {loops}: piece {piece} of {pieces} has {calls[piece]} instead of {expected}");
                calls[piece] = 0;
            }
        }

        Assert.True(loops > 20, $"only {loops} loops in half a second");
    }

    [Fact]
    public void For_AfterThreadsFellAsleep_StillRunsAll()
    {
        using Workers workers = new(3);
        int[] calls = new int[9];
        for (int loop = 0; loop < 20; loop++)
        {
            Thread.Sleep(10);
            workers.For(9, new Counts(calls), static (piece, in s) => s.Calls[piece]++);
        }

        Assert.All(calls, count => Assert.Equal(20, count));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void For_PiecesThrow_FirstOneComesOutAndTheNextLoopRuns(int threads)
    {
        using Workers workers = new(threads);
        int[] calls = new int[100];
        for (int repeat = 0; repeat < 50; repeat++)
        {
            ArgumentException error = Assert.Throws<ArgumentException>(() => workers.For(100, new Counts(calls), static (piece, in s) =>
            {
                if (piece >= 17)
                    throw new ArgumentException($"piece {piece}");
            }));
            Assert.Equal("piece 17", error.Message);
        }

        workers.For(100, new Counts(calls), static (piece, in s) => s.Calls[piece]++);
        Assert.All(calls, count => Assert.Equal(1, count));
    }

    [Fact]
    public void For_InsideALoop_IsAnError()
    {
        using Workers workers = new(2);
        Assert.Throws<InvalidOperationException>(() =>
            workers.For(2, new Nested(workers), static (piece, in s) => s.Workers.For(2, in s, static (_, in _) => { })));
    }

    [Fact]
    public void For_AfterWarmUp_AllocatesNothing()
    {
        using Workers workers = new(2);
        int[] calls = new int[50];
        Loops(workers, calls, 1000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Loops(workers, calls, 1000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static void Loops(Workers workers, int[] calls, int count)
        {
            for (int i = 0; i < count; i++)
                workers.For(50, new Counts(calls), static (piece, in s) => s.Calls[piece]++);
        }
    }

    [Fact]
    public void ThreadScratch_GrowingUseByAllThreads_IsEachThreadsOwn()
    {
        using Workers workers = new(3);
        int[] mismatches = new int[64];
        for (int size = 1; size < 3000; size = size * 3 + 1)
        {
            workers.For(64, (workers, size, mismatches), static (piece, in s) =>
            {
                Span<float> scratch = s.workers.ThreadScratch(s.size);
                scratch.Fill(piece);
                Thread.Yield();
                foreach (float value in scratch)
                    s.mismatches[piece] += value == piece ? 0 : 1;
            });
        }

        Assert.All(mismatches, count => Assert.Equal(0, count));
    }

    [Fact]
    public void Dispose_Twice_IsHarmless()
    {
        Workers workers = new(3);
        workers.ThreadScratch(10);
        workers.Dispose();
        workers.Dispose();
    }

    private readonly record struct Counts(int[] Calls);

    private readonly record struct Nested(Workers Workers);
}
