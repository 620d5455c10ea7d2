using TinyMoE.Backends.Cases;
using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Tests.Cuda;

/// <summary>Routing, choices and balancing on the CUDA device beside the CPU where their kernels take
/// another path: equals and NaN, one token and many, more experts or ranks than fit shared memory.</summary>
[Collection(CudaCollection.Name)]
public sealed class RoutingCaseTests
{
    private static readonly Dictionary<string, KernelCase> ByName = Cases().ToDictionary(c => c.ToString());

    public static TheoryData<string> Names => [.. ByName.Keys];

    [CudaTheory]
    [MemberData(nameof(Names))]
    public void Plain_AgreesWithCpu(string name) => Check(name, "");

    [EmulatedTheory]
    [MemberData(nameof(Names))]
    public void UnderAllChecks_AgreesAndHasNoFinding(string name) => Check(name, Emulator.AllChecks);

    private static void Check(string name, string settings)
    {
        using CpuBackend cpu = new(1);
        KernelCase c = ByName[name];
        Assert.InRange(c.ErrorOn(TestDevice.SharedBackend(settings), cpu), 0, c.Tolerance);
        TestDevice.RequireNoFinding();
    }

    private static IEnumerable<KernelCase> Cases()
    {
        yield return TopK(5, 3, 2, groups: 3);
        yield return TopK(7, 40, 40);
        yield return TopK(3, 9000, 3); // rows are not staged
        foreach ((int T, int E, int K) in new[]
        {
            (0, 3, 2), (1, 1, 1), (1, 8, 2), (32, 5, 5), (33, 70, 33), (65, 8, 1), (3, 5000, 2),
            (2, 9000, 3), (17_000, 3, 2),
        })
        {
            yield return Route(T, E, K, overAll: false);
            yield return Route(T, E, K, overAll: true);
            yield return Assign(T, E, K, rows: T * K);
            yield return Assign(T, E, K, rows: T * K, dropped: true);
            yield return LimitCapacity(T, E, K, capacity: Math.Max(1, T * K / (2 * E)), byPriority: true);
            yield return LimitCapacity(T, E, K, capacity: Math.Max(1, T * K / (2 * E)), byPriority: false);
        }

        yield return new("Routing", "nothing is kept", (b, d) =>
            b.Assign(d.In(Enumerable.Repeat(-1, 6).ToArray()), 3, 2, 2, 2, d.OutInts(3), d.OutInts(2), d.OutInts(2), d.Rent<int>(2),
                d.OutInts(4)));
        foreach ((int T, int E, int K) in new[] { (3, 2000, 2), (5, 70, 40) })
        {
            yield return new("Routing", $"ScatterColumns {T}x{K} to {E}", (b, d) =>
                b.ScatterColumns(d.In(T * K), d.InInts(T * K, E, low: -1), T, E, K, d.Added(T * E)));
            yield return new("Choices", $"CountChoices {T}x{K} of {E}", (b, d) =>
                b.CountChoices(d.InInts(T * K, E, low: -1), 1, T, K, K / 2, E, 2f, d.Added(E)));
        }

        yield return new("Choices", "CountChoices of 5000", (b, d) =>
            b.CountChoices(d.InInts(600, 5000, low: -1), 2, 100, 3, 2, 5000, 1f, d.Out(10_000)));
        yield return ChooseTokens(1, 3, 1, false, 1);
        yield return ChooseTokens(9, 2, 9, true, 2);
        yield return ChooseTokens(700, 5, 2, true, 2);
        yield return ChooseTokens(700, 5, 1, false, 1);
        yield return ChooseTokens(5000, 2, 1, false, 1); // more ranks than fit
        foreach ((int T, int E) in new[] { (1, 1), (1, 7), (5, 2), (7, 3), (64, 4), (150, 70), (700, 5), (40, 5000) })
        {
            yield return AssignBalanced(T, E, absent: false);
            yield return AssignBalanced(T, E, absent: true);
        }

        yield return new("Balancing", "tokens that all want the same", (b, d) =>
            b.AssignBalanced(d.In(Enumerable.Range(0, 80 * 6).Select(i => 6f - i % 6).ToArray()), 80, 6, d.OutInts(80)));
        yield return new("Balancing", "seats of the last round", (b, d) =>
            b.AssignBalanced(d.In(Enumerable.Range(0, 300 * 3).Select(i => (i % 3 == 0 ? 5000f : i % 3) + i / 3 * 1e-4f).ToArray()), 300, 3,
                d.OutInts(300)));
        foreach ((int T, int E) in new[] { (1, 1), (5, 3), (33, 70), (700, 5) })
            yield return new("Balancing", $"Sinkhorn {T}x{E}", (b, d) => b.Sinkhorn(WithAbsent(d, T, E), T, E, d.Out(T * E)), 1e-4);
        yield return new("Balancing", "StepBias of 700", (b, d) =>
            b.StepBias(d.In(Enumerable.Range(0, 700).Select(i => (float)(i * 7 % 23)).ToArray()), 700, 0.01f, d.Added(700).View), 0);
    }

    private static KernelCase TopK(int T, int E, int K, int groups = 1) =>
        new("Routing", $"TopK {T}x{groups}x{E} of {K}", (b, d) =>
            b.TopK(WithEquals(d, T * groups * E), T, groups, E, K, d.OutInts(T * groups * K)), 0);

    private static KernelCase Route(int T, int E, int K, bool overAll) =>
        new("Routing", $"Route {T}x{E} to {K}{(overAll ? " over all" : "")}", (b, d) =>
    {
        int N = T * K;
        View<float> logits = T == 33 ? d.In(T * E, -3, 3) : WithEquals(d, T * E, nan: T == 65), weights = d.Out(N);
        View<int> experts = d.OutInts(N), rowsByToken = d.OutInts(N);
        b.RouteForward(logits, overAll, T, E, K, experts, d.OutInts(E + 1), d.OutInts(N), rowsByToken, d.OutInts(T + 1), weights);
        if (T != 65) // NaN
            b.RouteBackward(d.In(N), logits, weights, overAll, experts, rowsByToken, T, E, K, d.Added(T * E));
    });

    private static KernelCase Assign(int T, int E, int K, int rows, bool dropped = false) =>
        new("Routing", $"Assign {T}x{K} of {E}{(dropped ? " some dropped" : "")}", (b, d) =>
    {
        View<int> rowsByToken = dropped ? d.Rent<int>(rows) : d.OutInts(rows); // what stands behind the kept is undefined
        b.Assign(d.InInts(T * K, E, low: dropped ? -1 : 0), T, E, K, rows, d.OutInts(E + 1), d.OutInts(rows), d.OutInts(rows), rowsByToken,
            d.OutInts(T + 1));
    });

    private static KernelCase LimitCapacity(int T, int E, int K, int capacity, bool byPriority) =>
        new("Choices", $"LimitCapacity {T}x{K} of {E}{(byPriority ? " by priority" : "")}", (b, d) =>
        b.LimitCapacity(d.InInts(T * K, E, low: -1), byPriority ? WithEquals(d, T * K) : default, T, E, K, capacity, d.OutInts(T * K)));

    private static KernelCase ChooseTokens(int T, int E, int groups, bool interleaved, int active) =>
        new("Choices", $"ChooseTokens {T}x{E} in {groups}{(interleaved ? " interleaved" : "")}", (b, d) =>
        b.ChooseTokens(WithEquals(d, T * E), T, E, groups, interleaved, active, d.OutInts(T * E)));

    private static KernelCase AssignBalanced(int T, int E, bool absent) =>
        new("Balancing", $"AssignBalanced {T}x{E}{(absent ? " some absent" : "")}", (b, d) =>
        b.AssignBalanced(absent ? WithAbsent(d, T, E) : d.In(T * E, -2, 2), T, E, d.OutInts(T)));

    /// <summary>Numbers of few different values, below zero too, with both zeros.</summary>
    private static View<float> WithEquals(KernelData d, int n, bool nan = false)
    {
        Philox random = new(new RandomKey(7, RandomPurpose.Other, Step: n));
        return d.In(Enumerable.Range(0, n).Select(i => nan && i % 11 == 3 ? float.NaN
            : random.Below(9, i) switch { 0 => -0f, 1 => float.NegativeInfinity, int v => (v - 3) * 0.5f }).ToArray());
    }

    /// <summary>Every third token is not there, and some experts are masked for some of the others.</summary>
    private static View<float> WithAbsent(KernelData d, int T, int E)
    {
        Philox random = new(new RandomKey(8, RandomPurpose.Other, Step: T));
        return d.In(Enumerable.Range(0, T * E).Select(
            i => T > 1 && i / E % 3 == 1 ? -2e35f : i % E > 0 && random.Below(5, i) == 0 ? -1e9f : 4f * random.Uniform(i) - 2f).ToArray());
    }
}
