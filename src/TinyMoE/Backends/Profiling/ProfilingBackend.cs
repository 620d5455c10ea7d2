using System.Diagnostics;
using System.Runtime.InteropServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

/// <summary>
/// Counts kernels. Over another backend it has a stopwatch at every kernel: passes each call on and gathers, by
/// kernel and sizes, calls, time, floating-point operations and the bytes that the algorithm must move (each input
/// read once, each output written once; one that is added to is read as well). Values and memory are the other's
/// own. Where the device has a clock (<see cref="Backend.Clock"/>) the time is the device's, and nobody waits for it
/// but <see cref="Collect"/>. Disposing it disposes the other. Without a device (<see cref="DryRun()"/>) it counts the
/// same, kernels do nothing, and memory is counted, not allocated.
/// </summary>
public sealed partial class ProfilingBackend : Backend
{
    private const int MostPending = 4096; // so that a long count needs no more events than that

    private readonly Backend? device; // null: a dry run
    private readonly IDeviceClock? clock; // null: a call is done when it returns
    private readonly Dictionary<KernelKey, Tally> tallies = [];
    private readonly Func<ElementType, int, int, int, int, bool>? readsRowsByToken; // of a dry run; none: it does not
    private readonly List<Interval> pending = []; // calls whose device times are still to be read

    /// <summary>Counts what is asked of <paramref name="device"/>.</summary>
    public ProfilingBackend(Backend device)
        : this(device, device.Pool)
    {
    }

    private ProfilingBackend(Backend? device, MemoryPool pool) => (this.device, clock, Pool) = (device, device?.Clock, pool);

    private ProfilingBackend(Func<ElementType, int, int, int, int, bool>? readsRowsByToken)
        : this(null, new MemoryPool(new CountingAllocator())) => this.readsRowsByToken = readsRowsByToken;

    /// <summary>
    /// A backend without a device: a model of any size "runs" on it to have its kernels, operations, bytes and peak memory
    /// counted. Views have addresses that nobody may read; what is read back is zero, and a plan's rows are shared out evenly.
    /// </summary>
    public static ProfilingBackend DryRun() => new(readsRowsByToken: null);

    /// <summary>The same in the place of a device whose <see cref="Backend.ReadsRowsByToken"/> and
    /// <see cref="JoinsProjections"/> are these.</summary>
    internal static ProfilingBackend DryRun(Func<ElementType, int, int, int, int, bool>? readsRowsByToken, bool joins) =>
        new(readsRowsByToken) { Joins = joins };

    /// <inheritdoc/>
    public override string Name => device?.Name ?? "dry run";

    /// <inheritdoc/>
    public override MemoryPool Pool { get; }

    /// <inheritdoc/>
    public override long? MemoryBytes => device?.MemoryBytes;

    /// <inheritdoc/>
    public override bool JoinsProjections => device?.JoinsProjections ?? Joins;

    /// <summary>What <see cref="JoinsProjections"/> says in a dry run: as the device that it stands for.</summary>
    internal bool Joins { get; init; }

    /// <inheritdoc/>
    public override bool ReadsRowsByToken(ElementType type, int E, int rows, int inputs, int outputs) =>
        device?.ReadsRowsByToken(type, E, rows, inputs, outputs) ?? readsRowsByToken?.Invoke(type, E, rows, inputs, outputs) ?? false;

    /// <summary>Whether calls are counted; they are passed on in any case.</summary>
    public bool Counting { get; set; } = true;

    /// <summary>Whether times are the device's own, while the host goes on; else a call is timed where it is made.</summary>
    public bool HasDeviceTimes => clock is not null;

    /// <summary>What was counted so far, the most time first.</summary>
    public IReadOnlyList<KernelProfile> Kernels
    {
        get
        {
            Collect();
            return
            [
                .. tallies.Select(tally => new KernelProfile(
                        tally.Key.ToString(), tally.Value.Calls, tally.Value.Time, tally.Value.Flops, tally.Value.Bytes,
                        tally.Value.ProductFlops))
                    .OrderByDescending(kernel => kernel.Time).ThenBy(kernel => kernel.Name, StringComparer.Ordinal),
            ];
        }
    }

    /// <summary>Takes over the device's times of all calls so far: waits for the device, where it has a clock.</summary>
    public void Collect()
    {
        if (clock is null || pending.Count == 0)
            return;
        clock.Wait();
        foreach (Interval call in pending)
            CollectionsMarshal.GetValueRefOrAddDefault(tallies, call.Key, out _).Time += clock.Between(call.From, call.To);
        pending.Clear();
        clock.Restart();
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (device is null)
            Pool.Dispose();
        else
            device.Dispose();
    }

    /// <summary>Starts the clock of one call, which stops when the result is disposed.</summary>
    private Timing Time(KernelKey key, double flops, double values, double products = 0) =>
        new(this, key, flops, products, sizeof(float) * values);

    /// <summary>Values that an output of <paramref name="count"/> moves: none
    /// when nobody wants it, twice as many when it is added to.</summary>
    private static double Out(Target y, double count) => y.Adds ? 2 * In(y.Values, count) : In(y.Values, count);

    /// <summary>4-byte values that <paramref name="count"/> values take as they are kept; of the empty run none.</summary>
    private static double In(Values x, double count) => x.IsNone ? 0 : x.Type == ElementType.Float32 ? count : count / 2;

    private static double Area(double rows, double columns) => rows * columns;

    /// <summary>4-byte values that weights of <paramref name="count"/> are.</summary>
    private static double Values(Weights w, double count) => (double)w.Type.BytesOf((long)count) / sizeof(float);

    /// <summary>A kernel at given sizes; a size of 0 is not there.</summary>
    private readonly record struct KernelKey(string Kernel, int A = 0, int B = 0, int C = 0, int D = 0, string Form = "")
    {
        public override string ToString()
        {
            string sizes = string.Join('x', new[] { A, B, C, D }.Where(size => size != 0));
            return string.Join(' ', new[] { Kernel, sizes, Form }.Where(part => part.Length > 0));
        }
    }

    private struct Tally
    {
        public long Calls;
        public TimeSpan Time;
        public double Flops;
        public double ProductFlops;
        public double Bytes;
    }

    /// <summary>A call between two marks of the device's clock.</summary>
    private readonly record struct Interval(KernelKey Key, int From, int To);

    private readonly ref struct Timing(ProfilingBackend profile, KernelKey key, double flops, double products, double bytes)
    {
        private readonly long started = !profile.Counting ? 0 : profile.clock?.Mark() ?? Stopwatch.GetTimestamp();

        public void Dispose()
        {
            if (!profile.Counting)
                return;
            TimeSpan time = default;
            if (profile.clock is { } clock)
                profile.pending.Add(new Interval(key, (int)started, clock.Mark()));
            else if (profile.device is not null)
                time = Stopwatch.GetElapsedTime(started);
            ref Tally tally = ref CollectionsMarshal.GetValueRefOrAddDefault(profile.tallies, key, out _);
            tally.Calls++;
            tally.Time += time;
            tally.Flops += flops;
            tally.ProductFlops += products;
            tally.Bytes += bytes;
            if (profile.pending.Count == MostPending)
                profile.Collect();
        }
    }

    /// <summary>Hands out addresses that nothing lies at, and so counts without allocating.</summary>
    private sealed class CountingAllocator : IDeviceAllocator
    {
        private nint next = 1 << 12;

        public nint Allocate(long bytes)
        {
            nint address = next;
            next += (nint)Ceiling.Multiple(bytes, 64);
            return address;
        }

        public void Free(nint address)
        {
            // there is nothing at it
        }
    }
}
