using System.Diagnostics;
using System.Runtime.CompilerServices;
using TinyMoE.Backends.Cpu;

namespace TinyMoE.Tests.Backends;

/// <summary>
/// How well loops would feed so many workers, told by one thread that ran them: each piece goes to the worker that is free
/// first, as it does from the ticket, and a loop ends with its last piece. It knows nothing of what workers cost each other
/// (memory, wake-ups), so that it judges how the work is cut, not how fast it would be.
/// </summary>
internal sealed class WorkList(int workers) : ILoopObserver
{
    private readonly List<Loop> loops = [];
    private readonly PriorityQueue<int, long> free = new();
    private int run, position, piece;
    private long last;

    /// <summary>The time of all pieces, in seconds.</summary>
    public double Work => loops.Sum(loop => loop.Work);

    /// <summary>The time of all loops on the workers, in seconds.</summary>
    public double Span => loops.Sum(SpanOf);

    /// <summary>The time between loops, which one thread has alone, in seconds.</summary>
    public double Outside => Seconds(loops.Sum(loop => loop.Before));

    /// <summary>The share of the workers' time in loops that they wait.</summary>
    public double Idle => 1 - Work / (workers * Span);

    /// <summary>The loops of each kernel together, the most time lost first.</summary>
    public IEnumerable<KernelLoops> Kernels => loops.GroupBy(loop => loop.Kernel)
        .Select(same => new KernelLoops(
            same.Key, same.Count(), same.Sum(loop => loop.Pieces.Length), same.Sum(loop => loop.Work), same.Sum(SpanOf),
            Seconds(same.Sum(loop => loop.Before)), workers))
        .OrderByDescending(kernel => kernel.Lost);

    /// <summary>A run begins, of the same loops as the one before: of each piece the least time counts, which nothing disturbed.</summary>
    public void Again()
    {
        position = 0;
        run++;
        last = Stopwatch.GetTimestamp();
    }

    public void Begin(Delegate body, object state, int pieces)
    {
        long before = Stopwatch.GetTimestamp() - last;
        if (run == 0)
            return; // nothing is measured yet
        string kernel = NameOf(body, state);
        if (run == 1)
            loops.Add(new Loop(kernel, pieces));
        else if (position == loops.Count || loops[position].Kernel != kernel || loops[position].Pieces.Length != pieces)
            throw new InvalidOperationException($"Loop {position}, {kernel} of {pieces} pieces, is not the one of the first run.");
        loops[position].Before = Math.Min(loops[position].Before, before);
        piece = 0;
    }

    public void Piece(long ticks)
    {
        if (run == 0)
            return;
        ref long least = ref loops[position].Pieces[piece++];
        least = Math.Min(least, ticks);
    }

    public void End()
    {
        if (run > 0)
            position++;
        last = Stopwatch.GetTimestamp();
    }

    private double SpanOf(Loop loop)
    {
        free.Clear();
        for (int i = 0; i < workers; i++)
            free.Enqueue(i, 0);
        long end = 0;
        foreach (long ticks in loop.Pieces)
        {
            free.TryDequeue(out int worker, out long start);
            free.Enqueue(worker, start + ticks);
            end = Math.Max(end, start + ticks);
        }

        return Seconds(end);
    }

    private static double Seconds(long ticks) => ticks / (double)Stopwatch.Frequency;

    /// <summary>The sizes of products, the vector loop that a body runs, or the method that
    /// it stands in, or that the body it calls stands in.</summary>
    private static string NameOf(Delegate body, object state)
    {
        if (LoopIn(state.GetType()) is { } loop)
            return loop.Name;
        for (int i = 0; state is ITuple tuple && i < tuple.Length; i++)
        {
            if (tuple[i] is Products p)
                return $"{p.Count} x {p.Rows} x {p.Columns} x {p.Inner}{(p.Ragged == Ragged.None ? "" : $", {p.Ragged} ragged")}";
            body = tuple[i] as Delegate ?? body;
        }

        string method = body.Method.Name;
        return method[(method.IndexOf('<') + 1)..Math.Max(1, method.IndexOf('>'))];
    }

    private static Type? LoopIn(Type type) => type.IsAssignableTo(typeof(IVectorLoop)) ? type
        : type.GetGenericArguments().Select(LoopIn).FirstOrDefault(loop => loop is not null);

    private sealed class Loop
    {
        public Loop(string kernel, int pieces)
        {
            Kernel = kernel;
            Pieces = new long[pieces];
            Array.Fill(Pieces, long.MaxValue);
        }

        public string Kernel { get; }

        public long[] Pieces { get; }

        public long Before { get; set; } = long.MaxValue;

        public double Work => Seconds(Pieces.Sum());
    }
}

/// <summary>The loops of one kernel: how many, their pieces, and seconds: of the pieces, of the loops, of the time before them.</summary>
internal sealed record KernelLoops(string Name, int Loops, int Pieces, double Work, double Span, double Before, int Workers)
{
    /// <summary>Seconds of a step that its workers' waiting costs.</summary>
    public double Lost => Span - Work / Workers;

    public override string ToString() =>
        $"{Name,-34} {Loops,4} loops {(double)Pieces / Loops,7:F1} pieces {1e3 * Work,8:F2} ms of work {1e3 * Span,7:F3} ms on {Workers} "
        + $"{1e3 * Lost,7:F3} ms lost ({1 - Work / (Workers * Span),4:P0}) {1e3 * Before,7:F3} ms before";
}
