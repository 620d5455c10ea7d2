using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TinyMoE.Backends.Cpu;

/// <summary>One piece of a parallel loop: piece <paramref name="index"/> of the work that <paramref name="state"/> describes.</summary>
internal delegate void Piece<TState>(int index, in TState state)
    where TState : struct;

/// <summary>
/// Kept threads for parallel loops. The caller works too, so one thread means no worker at all. Pieces are claimed one by one from a ticket
/// (generation, next piece): a worker that wakes late finds the generation gone and does nothing, so the caller waits for pieces, never for threads.
/// The state stays on the caller's stack and bodies are static lambdas: a loop allocates nothing. What a piece computes must depend on its index only,
/// and how the work is cut must not depend on <see cref="Threads"/>: then results are the same bits for any number of threads.
/// </summary>
internal sealed unsafe class Workers : IDisposable
{
    private const int SpinsBeforeSleep = 2000;

    [ThreadStatic]
    private static int slot; // 0 for callers, 1.. for workers

    private readonly object gate = new();
    private readonly Thread[] threads;
    private readonly Scratch[] scratch;
    private int sleeping;
    private volatile bool disposed;

    // The job of the current generation; written only while no generation is open.
    private delegate*<object, void*, int, void> run;
    private object? body;
    private void* state;
    private int count;

    private long ticket; // generation << 32 | next piece
    private int completed;
    private Exception? failure;

    public Workers(int threads)
    {
        Threads = threads;
        scratch = new Scratch[threads];
        this.threads = new Thread[threads - 1];
        for (int i = 0; i < this.threads.Length; i++)
        {
            int mine = i + 1;
            this.threads[i] = new Thread(() => WorkerLoop(mine)) { IsBackground = true, Name = $"tinymoe worker {mine}" };
            this.threads[i].Start();
        }
    }

    /// <summary>How many threads work, the caller included.</summary>
    public int Threads { get; }

    /// <summary>Calls <paramref name="piece"/> for 0..<paramref name="pieces"/>-1, on all threads; returns when all are done.</summary>
    public void For<TState>(int pieces, in TState state, Piece<TState> piece)
        where TState : struct
    {
        if (Threads == 1 || pieces <= 1)
        {
            for (int i = 0; i < pieces; i++)
                piece(i, in state);
            return;
        }

        long generation = (ticket >> 32) + 1;
        Interlocked.Exchange(ref ticket, (generation << 32) | int.MaxValue); // closed: nobody can claim a piece while the job is written
        run = &Run<TState>;
        body = piece;
        this.state = Unsafe.AsPointer(ref Unsafe.AsRef(in state));
        count = pieces;
        completed = 0;
        failure = null;
        Interlocked.Exchange(ref ticket, generation << 32);
        if (Volatile.Read(ref sleeping) > 0)
        {
            lock (gate)
                Monitor.PulseAll(gate);
        }

        Drain();
        SpinWait spin = default;
        while (Volatile.Read(ref completed) < pieces)
            spin.SpinOnce(sleep1Threshold: -1);
        if (failure is not null)
            throw new InvalidOperationException("A piece of a parallel loop failed.", failure);
    }

    /// <summary>Memory of the calling thread, kept between calls and grown as needed; contents undefined. At most one use at a time on a thread.</summary>
    public Span<float> ThreadScratch(int length)
    {
        ref Scratch mine = ref scratch[slot];
        if (mine.Length < length)
        {
            NativeMemory.AlignedFree(mine.Address);
            mine = new Scratch { Address = (float*)NativeMemory.AlignedAlloc((nuint)length * sizeof(float), 64), Length = length };
        }

        return new Span<float>(mine.Address, length);
    }

    public void Dispose()
    {
        disposed = true;
        lock (gate)
            Monitor.PulseAll(gate);
        foreach (Thread thread in threads)
            thread.Join();
        foreach (Scratch each in scratch)
            NativeMemory.AlignedFree(each.Address);
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
        bool any = false;
        while (true)
        {
            long current = Volatile.Read(ref ticket);
            delegate*<object, void*, int, void> job = run;
            object? jobBody = body;
            void* jobState = state;
            if ((int)current >= Volatile.Read(ref count))
                return any;
            if (Interlocked.CompareExchange(ref ticket, current + 1, current) != current)
                continue; // another thread took it, or the generation is over: what was read above may be stale

            // The piece is ours and its generation cannot end before it does, so the job read above is the right one.
            any = true;
            try
            {
                job(jobBody!, jobState, (int)current);
            }
            catch (Exception e)
            {
                failure = e;
            }

            Interlocked.Increment(ref completed);
        }
    }

    private void Sleep()
    {
        lock (gate)
        {
            Interlocked.Increment(ref sleeping);
            while (!disposed && (int)Interlocked.Read(ref ticket) >= Volatile.Read(ref count))
                Monitor.Wait(gate);
            Interlocked.Decrement(ref sleeping);
        }
    }

    private struct Scratch
    {
        public float* Address;
        public int Length;
    }
}
