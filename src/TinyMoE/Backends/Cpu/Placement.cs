using System.Runtime.InteropServices;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// Keeps the threads of a parallel loop on processors of their own. A scheduler may wake a worker on the
/// processor where its caller runs, and as both are always busy it can take a tenth of a second until one
/// of them is moved: until then two threads are slower than one. Elsewhere than on Linux it does nothing.
/// </summary>
internal sealed unsafe partial class Placement(int threads)
{
    private const int MaskBytes = 128; // 1024 processors

    private readonly int[] processors = new int[threads]; // where each thread was last seen, plus one

    /// <summary>Notes where the calling thread, number <paramref name="slot"/>, runs;
    /// moves it away from a processor that a thread of a lower number runs on.</summary>
    public void Settle(int slot)
    {
        if (!OperatingSystem.IsLinux())
            return;
        int here = CurrentProcessor() + 1;
        processors[slot] = here;
        if (processors.AsSpan(0, slot).Contains(here))
            Leave();
    }

    /// <summary>Forbids the thread, for a moment, the processors that the others
    /// run on: so it moves at once, if there is another for it.</summary>
    private void Leave()
    {
        ulong* allowed = stackalloc ulong[MaskBytes / sizeof(ulong)], free = stackalloc ulong[MaskBytes / sizeof(ulong)];
        if (GetAffinity(0, MaskBytes, allowed) != 0)
            return;
        new Span<ulong>(allowed, MaskBytes / sizeof(ulong)).CopyTo(new Span<ulong>(free, MaskBytes / sizeof(ulong)));
        foreach (int processor in processors)
        {
            if (processor > 0)
                free[(processor - 1) / 64] &= ~(1UL << ((processor - 1) % 64));
        }

        if (new Span<ulong>(free, MaskBytes / sizeof(ulong)).ContainsAnyExcept(0UL) && SetAffinity(0, MaskBytes, free) == 0)
            _ = SetAffinity(0, MaskBytes, allowed);
    }

    [SuppressGCTransition]
    [LibraryImport("libc", EntryPoint = "sched_getcpu")]
    internal static partial int CurrentProcessor();

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    private static partial int GetAffinity(int thread, nuint bytes, ulong* mask);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SetAffinity(int thread, nuint bytes, ulong* mask);
}
