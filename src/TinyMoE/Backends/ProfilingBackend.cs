using System.Diagnostics;
using System.Runtime.InteropServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends;

/// <summary>
/// Another backend with a stopwatch at every kernel: passes each call on and gathers, by kernel and sizes, calls, time, floating-point operations and the
/// bytes that the algorithm must move (each input read once, each output written once; one that is added to is read as well). Values and memory are the
/// other's own. It waits for the device after each kernel that it counts; disposing it disposes the other.
/// </summary>
public sealed partial class ProfilingBackend(Backend device) : Backend
{
    private readonly Dictionary<KernelKey, Tally> tallies = [];

    /// <inheritdoc/>
    public override string Name => device.Name;

    /// <inheritdoc/>
    public override MemoryPool Pool => device.Pool;

    /// <summary>Whether calls are counted; they are passed on in any case.</summary>
    public bool Counting { get; set; } = true;

    /// <summary>What was counted so far, the most time first.</summary>
    public IReadOnlyList<KernelProfile> Kernels =>
    [
        .. tallies.Select(tally => new KernelProfile(tally.Key.ToString(), tally.Value.Calls, Stopwatch.GetElapsedTime(0, tally.Value.Ticks), tally.Value.Flops, tally.Value.Bytes))
            .OrderByDescending(kernel => kernel.Time).ThenBy(kernel => kernel.Name, StringComparer.Ordinal),
    ];

    /// <inheritdoc/>
    public override void Dispose() => device.Dispose();

    /// <inheritdoc/>
    public override void Synchronize() => device.Synchronize();

    /// <summary>Starts the clock of one call, which stops when the result is disposed.</summary>
    private Timing Time(KernelKey key, double flops, double values) => new(this, key, flops, sizeof(float) * values);

    /// <summary>Values that an output of <paramref name="count"/> moves: none when nobody wants it, twice as many when it is added to.</summary>
    private static double Out(Target y, double count) => y.IsNone ? 0 : y.Adds ? 2 * count : count;

    private static double Area(double rows, double columns) => rows * columns;

    /// <summary>Values of a second operand.</summary>
    private static double Second(Broadcast broadcast, int N, int C) => broadcast switch
    {
        Broadcast.None => Area(N, C),
        Broadcast.Row => C,
        _ => N,
    };

    /// <summary>Operations of what follows a product of <paramref name="area"/> values: a bias is one each, an activation one, a gate two more, rounding one.</summary>
    private static double Flops(in Epilogue after, double area) =>
        area * ((after.Bias.IsNone ? 0 : 1) + (after.Precision == ElementType.Bfloat16 ? 1 : 0) + (after.Activated.IsNone ? 0 : after.Gate.IsNone ? 1 : 3));

    /// <summary>Values that it moves beside the product itself.</summary>
    private static double Values(in Epilogue after, double area) =>
        after.Bias.Length + (after.Gate.IsNone ? 0 : area) + (after.Activated.IsNone ? 0 : area);

    /// <summary>4-byte values that weights of <paramref name="count"/> are.</summary>
    private static double Values(Weights w, double count) => w.Precision == ElementType.Bfloat16 ? count / 2 : count;

    /// <summary>"NT": the first as it lies, the second transposed.</summary>
    private static string Form(bool transposeA, bool transposeB) => (transposeA, transposeB) switch
    {
        (false, false) => "NN",
        (false, true) => "NT",
        (true, false) => "TN",
        _ => "TT",
    };

    /// <summary>Pairs of a query and a key that it sees.</summary>
    private static double Pairs(in AttentionSizes s)
    {
        double pairs = 0;
        for (int keys = s.S - s.T + 1; keys <= s.S; keys++)
            pairs += s.Window > 0 ? Math.Min(s.Window, keys) : keys;
        return pairs * s.B * s.H;
    }

    private static double Queries(in AttentionSizes s) => 1.0 * s.B * s.T * s.H * s.D;

    private static double Keys(in AttentionSizes s) => 1.0 * s.B * s.S * s.KvHeads * s.D;

    private static double Rows(in AttentionSizes s) => 1.0 * s.B * s.H * s.T;

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
        public long Ticks;
        public double Flops;
        public double Bytes;
    }

    private readonly ref struct Timing(ProfilingBackend profile, KernelKey key, double flops, double bytes)
    {
        private readonly long started = Stopwatch.GetTimestamp();

        public void Dispose()
        {
            if (!profile.Counting)
                return;
            profile.Synchronize();
            long ticks = Stopwatch.GetTimestamp() - started;
            ref Tally tally = ref CollectionsMarshal.GetValueRefOrAddDefault(profile.tallies, key, out _);
            tally.Calls++;
            tally.Ticks += ticks;
            tally.Flops += flops;
            tally.Bytes += bytes;
        }
    }
}

/// <summary>What was counted of one kernel at one set of sizes.</summary>
/// <param name="Name">The kernel and its sizes, as "MatMul 2048x256x256 NT".</param>
/// <param name="Calls">How often it was called.</param>
/// <param name="Time">Time in it, all calls together.</param>
/// <param name="Flops">Floating-point operations, all calls together.</param>
/// <param name="Bytes">Bytes that must be moved, all calls together.</param>
public sealed record KernelProfile(string Name, long Calls, TimeSpan Time, double Flops, double Bytes)
{
    /// <summary>10⁹ floating-point operations a second.</summary>
    public double GigaflopsPerSecond => Flops / Time.TotalSeconds / 1e9;

    /// <summary>10⁹ bytes a second.</summary>
    public double GigabytesPerSecond => Bytes / Time.TotalSeconds / 1e9;
}
