using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace TinyMoE.Backends.Cpu;

/// <summary>One piece of a parallel loop: piece <paramref name="index"/> of the work that <paramref name="state"/> describes.</summary>
internal delegate void Piece<TState>(int index, in TState state)
    where TState : struct;

/// <summary>Who is told of every loop of workers that only say they are so many, and of the time of its pieces.</summary>
internal interface ILoopObserver
{
    /// <summary>A loop begins.</summary>
    void Begin(Delegate body, object state, int pieces);

    /// <summary>Its next piece, in order, took so many ticks of the stopwatch.</summary>
    void Piece(long ticks);

    /// <summary>It ends.</summary>
    void End();
}

/// <summary>
/// Kept threads for parallel loops. The caller works too, so one thread means no worker at all. Pieces are claimed
/// one by one from a ticket (generation, next piece): a worker that wakes late finds the generation gone and does
/// nothing, so the caller waits for pieces, never for threads. The state stays on the caller's stack and bodies
/// are static lambdas: a loop allocates nothing. What a piece computes must depend on its index only, and no sum may be
/// cut by <see cref="Threads"/>: then results are the same bits for any number of threads.
/// </summary>
internal sealed unsafe class Workers : IDisposable
{
    private const int SpinsBeforeSleep = 2000;

    [ThreadStatic]
    private static int slot; // 0 for callers, 1.. for workers

    private readonly object gate = new();
    private Thread[] threads;
    private readonly Scratch[] scratch;
    private readonly Placement placement;
    private readonly ILoopObserver? observer; // of workers that only count as so many
    private int sleeping;
    private volatile bool disposed;

    // The job of the current generation; written only while no generation is open.
    private delegate*<object, void*, int, void> run;
    private object? body;
    private void* state;
    private int count;

    private Counters counters;
    private Exception? failure; // of the lowest piece that failed: the one that a single thread would have met
    private int failedPiece;

    public Workers(int threads)
    {
        Threads = threads;
        scratch = new Scratch[threads];
        placement = new Placement(threads);
        this.threads = new Thread[threads - 1];
        for (int i = 0; i < this.threads.Length; i++)
        {
            int mine = i + 1;
            this.threads[i] = new Thread(() => WorkerLoop(mine)) { IsBackground = true, Name = $"tinymoe worker {mine}" };
            Start(i);
        }
    }

    /// <summary>Workers that say they are so many and start none: the caller runs
    /// all pieces, in order, and <paramref name="observer"/> is told how long each took.</summary>
    internal Workers(int threads, ILoopObserver observer)
    {
        Threads = threads;
        this.observer = observer;
        scratch = new Scratch[1];
        placement = new Placement(1);
        this.threads = [];
    }

    /// <summary>How many threads work, the caller included.</summary>
    public int Threads { get; }

    /// <summary>
    /// Calls <paramref name="piece"/> for 0..<paramref name="pieces"/>-1, on all threads; returns when all are done. An exception
    /// of a piece comes out here. One thread at a time may call it, and a piece may not: a loop inside a loop is an error.
    /// </summary>
    public void For<TState>(int pieces, in TState state, Piece<TState> piece)
        where TState : struct
    {
        if (observer is not null)
        {
            Observe(pieces, in state, piece, observer);
            return;
        }

        if (Threads == 1 || pieces <= 1)
        {
            for (int i = 0; i < pieces; i++)
                piece(i, in state);
            return;
        }

        if (Volatile.Read(ref counters.Completed) < count)
            throw new InvalidOperationException("A parallel loop was started while another one runs.");
        long generation = (counters.Ticket >> 32) + 1;
        // closed: nobody can claim a piece while the job is written
        Interlocked.Exchange(ref counters.Ticket, (generation << 32) | int.MaxValue);
        run = &Run<TState>;
        body = piece;
        this.state = Unsafe.AsPointer(ref Unsafe.AsRef(in state));
        count = pieces;
        counters.Completed = 0;
        failure = null;
        Interlocked.Exchange(ref counters.Ticket, generation << 32);
        if (Volatile.Read(ref sleeping) > 0)
        {
            lock (gate)
                Monitor.PulseAll(gate);
        }

        Drain();
        SpinWait spin = default;
        while (Volatile.Read(ref counters.Completed) < pieces)
            spin.SpinOnce(sleep1Threshold: -1);
        if (failure is not null)
            ExceptionDispatchInfo.Throw(failure);
    }

    /// <summary>Memory of the calling thread, kept between calls and grown as
    /// needed; contents undefined. At most one use at a time on a thread.</summary>
    public Span<float> ThreadScratch(int length)
    {
        ref Scratch mine = ref scratch[slot];
        if (mine.Length < length)
        {
            float* larger = (float*)NativeMemory.AlignedAlloc((nuint)length * sizeof(float), 64);
            NativeMemory.AlignedFree(mine.Address);
            mine = new Scratch { Address = larger, Length = length };
        }

        return new Span<float>(mine.Address, length);
    }

    public void Dispose()
    {
        if (disposed)
            return;
        disposed = true;
        lock (gate)
            Monitor.PulseAll(gate);
        foreach (Thread thread in threads)
            thread.Join();
        foreach (Scratch each in scratch)
            NativeMemory.AlignedFree(each.Address);
    }

    /// <summary>Starts a worker; where the system has no room for it, ends those that were started.</summary>
    private void Start(int index)
    {
        try
        {
            threads[index].Start();
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            Array.Resize(ref threads, index);
            Dispose();
            throw new TinyMoEException(
                $"Only {index + 1} of {Threads} threads can be started: the system gives this process no more. Ask for fewer threads, or "
                + "raise the limits on processes and memory.", e);
        }
    }

    private static void Observe<TState>(int pieces, in TState state, Piece<TState> piece, ILoopObserver observer)
        where TState : struct
    {
        observer.Begin(piece, state, pieces);
        for (int i = 0; i < pieces; i++)
        {
            long start = Stopwatch.GetTimestamp();
            piece(i, in state);
            observer.Piece(Stopwatch.GetTimestamp() - start);
        }

        observer.End();
    }

    private static void Run<TState>(object body, void* state, int index)
        where TState : struct => Unsafe.As<Piece<TState>>(body)(index, in Unsafe.AsRef<TState>(state));

    private void WorkerLoop(int mine)
    {
        slot = mine;
        int idle = 0;
        while (!disposed)
        {
            if (Drain())
            {
                idle = 0;
            }
            else if (++idle < SpinsBeforeSleep)
            {
                Thread.SpinWait(20);
            }
            else
            {
                Sleep();
                idle = 0;
            }
        }
    }

    /// <summary>Claims and runs pieces until none is left; false when there was none.</summary>
    private bool Drain()
    {
        int done = 0;
        while (true)
        {
            long current = Volatile.Read(ref counters.Ticket);
            delegate*<object, void*, int, void> job = run;
            object? jobBody = body;
            void* jobState = state;
            int piece = (int)current;
            if (piece >= Volatile.Read(ref count))
                break;
            if (Interlocked.CompareExchange(ref counters.Ticket, current + 1, current) != current)
                continue; // another thread took it, or the generation is over: what was read above may be stale

            // The piece is ours and its generation cannot end before we count it, so the job read above is the right one.
            if (done++ == 0)
                placement.Settle(slot);
            try
            {
                job(jobBody!, jobState, piece);
            }
            catch (Exception e)
            {
                lock (gate)
                {
                    if (failure is null || piece < failedPiece)
                        (failure, failedPiece) = (e, piece);
                }
            }
        }

        if (done > 0)
            Interlocked.Add(ref counters.Completed, done);
        return done > 0;
    }

    private void Sleep()
    {
        lock (gate)
        {
            // Either we see the new ticket here, or the loop that opened it sees
            // us sleeping: both sides write first, then read, with full fences.
            Interlocked.Increment(ref sleeping);
            while (!disposed && (int)Interlocked.Read(ref counters.Ticket) >= Volatile.Read(ref count))
                Monitor.Wait(gate);
            Interlocked.Decrement(ref sleeping);
        }
    }

    /// <summary>The two words that all threads write, on cache lines of their own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct Counters
    {
        [FieldOffset(128)]
        public long Ticket; // generation << 32 | next piece

        [FieldOffset(256)]
        public int Completed;
    }

    private struct Scratch
    {
        public float* Address;
        public int Length;
    }
}
