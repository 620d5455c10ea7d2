using System.Runtime.InteropServices;
using TinyMoE.Backends.Widening;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// The CPU: kernels in plain C# with vectors, one partial file per family. No sum is ever cut by the number of threads, only
/// work between sums, so results are the same bits on 1, 2 or 64 threads. One thread at a time may call it.
/// </summary>
public sealed unsafe partial class CpuBackend : WideningBackend
{
    /// <summary>Elements of a piece where the threads do not decide, as where it is summed: below
    /// it, waking a thread costs more than it saves, so that so few elements are one piece.</summary>
    private const int PieceSize = 16 * 1024;

    /// <summary>The least that a piece has where there are many threads: a microsecond or two, some times what its ticket costs.</summary>
    private const int LeastPiece = 2 * 1024;

    /// <summary>Elements that take as long as a short row: a softmax over few experts, a choice among them.</summary>
    private const int LeastRow = 64;

    /// <summary>Pieces that a thread should have: one that comes late, or is slower, leaves some to the others.</summary>
    private const int PiecesPerThread = 4;

    private readonly Workers workers;
    private readonly MemoryPool scratch = NewPool(); // of what kernels need for themselves, and no tensor has

    /// <summary>A CPU backend with <paramref name="threads"/> threads; 0 for one per core.</summary>
    public CpuBackend(int threads = 0)
        : this(threads, NewPool())
    {
    }

    /// <summary>A backend that cuts its work for so many threads, and runs it on one to see how long each piece takes.</summary>
    internal CpuBackend(ILoopObserver observer, int threads)
    {
        workers = new Workers(threads, observer);
        Pool = NewPool();
    }

    internal CpuBackend(int threads, MemoryPool pool)
    {
        if (threads < 0)
            throw new TinyMoEException($"The number of threads is 0 (one per core) or more, not {threads}.");
        workers = new Workers(threads == 0 ? Environment.ProcessorCount : threads);
        Pool = pool;
    }

    /// <inheritdoc/>
    public override MemoryPool Pool { get; }

    /// <inheritdoc/>
    protected override MemoryPool ScratchPool => scratch;

    /// <inheritdoc/>
    public override string Name => $"cpu ({workers.Threads} thread{(workers.Threads == 1 ? "" : "s")}, {Simd.Name})";

    /// <inheritdoc/>
    public override long? MemoryBytes => LargestMemory;

    /// <inheritdoc/>
    public override bool ReadsHostMemory => true;

    /// <inheritdoc/>
    public override bool JoinsProjections => Joins;

    /// <summary>What <see cref="JoinsProjections"/> says: the kernels here copy what they read of wider rows, so that only tests, which
    /// compare, want it.</summary>
    internal bool Joins { get; init; }

    /// <summary>What <see cref="MemoryBytes"/> says; tests make it small.</summary>
    internal long LargestMemory { get; init; } = MachineMemory.Bytes;

    /// <inheritdoc/>
    public override void Dispose()
    {
        workers.Dispose();
        Pool.Dispose();
        scratch.Dispose();
    }

    /// <summary>Elements, or rows, <paramref name="start"/> to before <paramref name="end"/> of the work that
    /// <paramref name="state"/> describes. None is summed with another: where they are cut depends on the threads.</summary>
    private delegate void Stretch<TState>(int start, int end, in TState state)
        where TState : struct;

    /// <summary>Runs <paramref name="stretch"/> over n elements.</summary>
    private void ForElements<TState>(int n, in TState state, Stretch<TState> stretch)
        where TState : struct => ForStretches(n, PieceOf(n), in state, stretch);

    /// <summary>Runs <paramref name="stretch"/> over N rows of C elements.</summary>
    private void ForRows<TState>(int N, int C, in TState state, Stretch<TState> stretch)
        where TState : struct
    {
        int cost = Math.Max(LeastRow, C);
        ForStretches(N, Math.Max(1, PieceOf((long)N * cost) / cost), in state, stretch);
    }

    /// <summary>Runs <paramref name="loop"/> over n elements.</summary>
    private void ForElements<TLoop>(int n, in TLoop loop)
        where TLoop : struct, IVectorLoop =>
        ForElements(n, in loop, static (start, end, in loop) => Simd.Run(in loop, start, end));

    /// <summary>Runs <paramref name="loop"/> over N rows of C elements; <paramref name="run"/>
    /// of them, all when 0, side by side make a run of vectors.</summary>
    private void ForRows<TLoop>(int N, int C, in TLoop loop, int run = 0)
        where TLoop : struct, IVectorLoop =>
        ForRows(N, C, (loop, run: run > 0 ? run : C), static (start, end, in s) => Simd.Run(in s.loop, start, end, s.run));

    private void ForStretches<TState>(int n, int size, in TState state, Stretch<TState> stretch)
        where TState : struct
    {
        workers.For(Ceiling.Divide(n, size), (n, size, state, stretch), static (piece, in s) =>
            s.stretch(piece * s.size, Math.Min(s.n, (piece + 1) * s.size), in s.state));
    }

    /// <summary>Elements of a piece of so many that are not summed: whole lines of the cache, enough pieces for all threads.</summary>
    private int PieceOf(long elements) => elements <= PieceSize ? PieceSize
        : Ceiling.Multiple((int)Math.Clamp(elements / (PiecesPerThread * workers.Threads), LeastPiece, PieceSize), 64);

    /// <summary>The elements of piece <paramref name="index"/> of n, of <see cref="PieceSize"/> each whatever the threads.</summary>
    private static (int Start, int Length) Range(int index, int n) => (index * PieceSize, Math.Min(PieceSize, n - index * PieceSize));

    private static int RowsPerPiece(int C) => Math.Max(1, PieceSize / Math.Max(1, C));

    private static MemoryPool NewPool()
    {
        HostAllocator allocator = new();
        return allocator.Pool = new MemoryPool(allocator);
    }

    private sealed class HostAllocator : IDeviceAllocator
    {
        /// <summary>The pool that it serves; known once there is one.</summary>
        public MemoryPool? Pool { get; set; }

        public nint Allocate(long bytes)
        {
            if (TryAllocate(bytes) is { } address)
                return address;
            if (Pool!.FreeWaiting() > 0 && TryAllocate(bytes) is { } again)
                return again;
            string live = string.Join(", ", Pool.LargestOrigins(5).Select(use => $"{use.Origin} {Size.Of(use.Bytes)} in {use.Buffers}"));
            throw new TinyMoEException(
                $"Out of memory: {Size.Of(bytes)} were asked for by {Pool.Asking} and the system has no such room, "
                + $"{Size.Of(Pool.LiveBytes)} are live in {Pool.LiveBuffers} buffers{(live.Length > 0 ? $" (most: {live})" : "")}. "
                + "Use a smaller batch, context or model, or more micro-batches (train.accumulation).");
        }

        public void Free(nint address) => NativeMemory.AlignedFree((void*)address);

        private static nint? TryAllocate(long bytes)
        {
            try
            {
                return (nint)NativeMemory.AlignedAlloc((nuint)bytes, 64);
            }
            catch (OutOfMemoryException)
            {
                return null;
            }
        }
    }
}
