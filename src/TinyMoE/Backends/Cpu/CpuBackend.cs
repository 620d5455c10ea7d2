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
    /// <summary>The least that a piece of elementwise work has, in elements: below it, waking a thread costs more than it saves.</summary>
    private const int PieceSize = 16 * 1024;

    private readonly Workers workers;
    private readonly MemoryPool scratch = NewPool(); // of what kernels need for themselves, and no tensor has

    /// <summary>A CPU backend with <paramref name="threads"/> threads; 0 for one per core.</summary>
    public CpuBackend(int threads = 0)
        : this(threads, NewPool())
    {
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

    /// <summary>Runs <paramref name="piece"/> over n elements in pieces of at least
    /// <see cref="PieceSize"/>: the body computes its range by <see cref="Range"/>.</summary>
    private void ForElements<TState>(int n, in TState state, Piece<TState> piece)
        where TState : struct => workers.For(Ceiling.Divide(n, PieceSize), in state, piece);

    /// <summary>Runs <paramref name="piece"/> over N rows of C elements: the body computes its rows by <see cref="RowRange"/>.</summary>
    private void ForRows<TState>(int N, int C, in TState state, Piece<TState> piece)
        where TState : struct => workers.For(Ceiling.Divide(N, RowsPerPiece(C)), in state, piece);

    /// <summary>Runs <paramref name="loop"/> over n elements in pieces of at least <see cref="PieceSize"/>.</summary>
    private void ForElements<TLoop>(int n, in TLoop loop)
        where TLoop : struct, IVectorLoop
    {
        ForElements(n, (loop, n), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            Simd.Run(in s.loop, start, start + length);
        });
    }

    /// <summary>Runs <paramref name="loop"/> over N rows of C elements; <paramref name="run"/>
    /// of them, all when 0, side by side make a run of vectors.</summary>
    private void ForRows<TLoop>(int N, int C, in TLoop loop, int run = 0)
        where TLoop : struct, IVectorLoop
    {
        ForRows(N, C, (loop, N, C, run: run > 0 ? run : C), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            Simd.Run(in s.loop, start, end, s.run);
        });
    }

    /// <summary>The elements of piece <paramref name="index"/> of n.</summary>
    private static (int Start, int Length) Range(int index, int n) => (index * PieceSize, Math.Min(PieceSize, n - index * PieceSize));

    /// <summary>The rows of piece <paramref name="index"/> of N rows of C elements: from Start to before End.</summary>
    private static (int Start, int End) RowRange(int index, int N, int C)
    {
        int rows = RowsPerPiece(C);
        return (index * rows, Math.Min(N, (index + 1) * rows));
    }

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
