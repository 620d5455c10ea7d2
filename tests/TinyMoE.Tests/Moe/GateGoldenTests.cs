using System.Text.Json;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Moe.Losses;
using TinyMoE.Moe.Routers;
using TinyMoE.Ops;
using TinyMoE.Tensors;
using TinyMoE.Tests.Golden;

namespace TinyMoE.Tests.Moe;

/// <summary>
/// Whole routers on four tokens and four experts against numbers evaluated in double
/// precision (gates.json). The input is the logits themselves, and the gate's weight one.
/// </summary>
public sealed class GateGoldenTests : IDisposable
{
    private const float Tolerance = 1e-5f;
    private const int E = 4;

    private static readonly float[] One = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

    private readonly JsonElement golden = JsonDocument.Parse(GoldenFile.Text("gates.json")).RootElement;
    private readonly float[] clean;
    private readonly float[] draws;
    private readonly CpuBackend backend = new(1);
    private readonly Tape tape;
    private readonly Tensor logits;

    public GateGoldenTests()
    {
        JsonElement common = JsonDocument.Parse(GoldenFile.Text("routers.json")).RootElement;
        (clean, draws) = (Numbers(common.GetProperty("clean")), Numbers(common.GetProperty("draws")));
        tape = backend.NewTape();
        logits = tape.Variable((4, E), clean);
    }

    [Fact]
    public void Switch_GateIsTheProbabilityOverAll()
    {
        RouterRun run = Route(new MoeConfig { Router = RouterKind.Switch });
        AssertClose(["switch", "choices"], run.Choices);
        AssertClose(["switch", "dense"], run.Gates);
    }

    [Fact]
    public void GShard_GatesAreNormalised_SecondIsKeptInProportion_LossCountsFirstChoices()
    {
        RouterRun run = Route(new MoeConfig { Router = RouterKind.GShard, GshardLoss = 1 }, new Pass(Training: true, Seed: 1, Step: 1));
        AssertClose(["gshard", "choices"], run.Choices);
        AssertClose(["gshard", "loss"], [run.Losses["gshard"]]);
        Assert.Equal(1.097581f, run.Losses["gshard"], 1e-5f);

        Ints choices = logits.TopK(2);
        Tensor gates = logits.SelectColumns(choices, 2).Softmax();
        AssertClose(["gshard", "gates"], gates.ToArray());
        Tensor uniform = tape.Constant((4, 1), Numbers(golden.GetProperty("gshard").GetProperty("draws")));
        AssertClose(["gshard", "kept"], backend.Read(GShardRouter.Keep(gates, uniform).KeepChoices(choices)));
    }

    [Fact]
    public void GShard_GradientOfItsLoss_IsThatOfTheSwitchLossOfFirstChoices()
    {
        Tensor same = tape.Variable((4, E), clean);
        tape.Backward(GShardLoss.Of(logits.Softmax(), logits.TopK(2), 2).Add(SwitchLoss.Of(same.Softmax(), same.TopK(1), 1, 1)));
        Assert.Equal(backend.Read(same.Grad), backend.Read(logits.Grad));
    }

    [Fact]
    public void DeepSeek_BiasChoosesAndFollowsTheLoad_GatesAreScores()
    {
        JsonElement expected = golden.GetProperty("deepseek");
        using RouterHarness router = Harness(new MoeConfig { Router = RouterKind.DeepSeek, Active = 2 });
        router.SetState("router.correction", Numbers(expected.GetProperty("bias")));
        RouterRun run = router.Run(clean, new Pass(Training: true), Tokens);
        AssertClose(["deepseek", "choices"], run.Choices);
        AssertClose(["deepseek", "counts"], run.Counts);
        int[] choices = run.Choices;
        AssertClose(["deepseek", "gates"], [.. choices.Select((e, i) => run.Gates[i / 2 * E + e])]);
        router.EndStep();
        AssertClose(["deepseek", "next_bias"], router.State("router.correction"));

        Tensor scores = tape.Variable((4, E), clean).Sigmoid(), bias = tape.Constant(E, Numbers(expected.GetProperty("bias")));
        Ints same = DeepSeekRouter.Choose(scores, bias, new MoeConfig { Experts = E, Active = 2 });
        RoutingStatistics statistics = new(E);
        statistics.Add(new Routing(Assignment.FromChoices(same, scores.SelectColumns(same, 2), E), new RouterScores(logits), same, []));
        Assert.Equal(1f, statistics.MaxViolation, Tolerance);
        Ints grouped = DeepSeekRouter.Choose(scores, bias, new MoeConfig { Experts = E, Active = 2, Groups = 2, ActiveGroups = 1 });
        AssertClose(["deepseek", "grouped_choices"], backend.Read(grouped));
    }

    [Fact]
    public void VMoe_LoadOfFixedNoise_AgreesWithGolden()
    {
        Tensor noisy = logits.Add(tape.Constant((4, E), draws).Scale(0.25f));
        AssertClose(["vmoe", "noisy"], noisy.ToArray());
        AssertClose(["vmoe", "load"], LoadLoss.FixedNoiseLoad(logits, noisy, 0.25f, 2).ToArray());
        Pass pass = new(Training: true) { FrozenRouterNoise = new Dictionary<int, float[]> { [0] = draws } };
        AssertClose(["vmoe", "loss"], [Route(new MoeConfig { LogitNoise = 1, LoadLoss = 1 }, pass).Losses["load"]]);
    }

    [Fact]
    public void ZLoss_OfTheFormulasFile() => Assert.Equal(3.447294f, ZLoss.Of(logits).Item(), Tolerance);

    [Fact]
    public void ExpertChoice_ExpertsTakeTheirBestTokens() =>
        AssertClose(["expert_choice", "dense"], Route(new MoeConfig { Router = RouterKind.ExpertChoice }).Gates);

    [Fact]
    public void Base_TrainingIsBalanced_InferenceIsGreedy_GateIsASigmoid()
    {
        AssertClose(["base", "dense"], Route(new MoeConfig { Router = RouterKind.Base }, gate: "router.centroids.weight").Gates);
        RouterRun trained = Route(new MoeConfig { Router = RouterKind.Base }, new Pass(Training: true), "router.centroids.weight");
        AssertClose(["base", "assignment"], trained.Choices);
    }

    [Fact]
    public void Sinkhorn_PlanAgreesWithGolden()
    {
        float[] expected = Numbers(golden.GetProperty("sinkhorn").GetProperty("plan")), plan = logits.Sinkhorn().ToArray();
        for (int i = 0; i < plan.Length; i++)
            Assert.Equal(expected[i], plan[i], 2e-5f);           // the iteration ends at a mean change of 1e-4
    }

    [Fact]
    public void Hierarchical_GateIsTheProductOfBoth()
    {
        float[] groups = [1, 0, 0, 0, 0, 1, 0, 0];
        foreach ((string name, int active) in ((string, int)[])[("one_group", 1), ("each", 2)])
        {
            // Over all, so that the product of both probabilities shows.
            MoeConfig moe = new() { Router = RouterKind.Hierarchical, Groups = 2, ActiveGroups = active, Renormalize = false };
            using RouterHarness router = Harness(moe);
            router.Set("router.groups.weight", groups);
            AssertClose(["hierarchical", name], router.Run(clean, Pass.Inference, Tokens).Gates);
        }
    }

    [Fact]
    public void SequenceLoss_IsTheMeanOverSequences() =>
        AssertClose(["sequence", "loss"], [SequenceLoss.Of(logits.Softmax(), logits.TopK(2), 2, 2, sequences: 2).Item()]);

    public void Dispose()
    {
        tape.Dispose();
        backend.Dispose();
    }

    private static RouterTokens Tokens { get; } = new(1, [0, 0, 0, 0]);

    private static RouterHarness Harness(MoeConfig moe, string gate = "router.weight")
    {
        RouterHarness router = new(moe with { Experts = E }, E);
        router.Set(gate, One);
        return router;
    }

    private static float[] Numbers(JsonElement element) => element.ValueKind == JsonValueKind.Array
        ? [.. element.EnumerateArray().SelectMany(Numbers)]
        : [element.GetSingle()];

    private RouterRun Route(MoeConfig moe, Pass? pass = null, string gate = "router.weight")
    {
        using RouterHarness router = Harness(moe, gate);
        return router.Run(clean, pass ?? Pass.Inference, Tokens);
    }

    private void AssertClose(string[] path, int[] actual) => AssertClose(path, Array.ConvertAll(actual, v => (float)v));

    private void AssertClose(string[] path, float[] actual)
    {
        float[] expected = Numbers(path.Aggregate(golden, (element, name) => element.GetProperty(name)));
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], Tolerance);
    }
}
