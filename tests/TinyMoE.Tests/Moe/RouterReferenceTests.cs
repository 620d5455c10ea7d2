using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Tests.Moe;

/// <summary>
/// Every router and every loss against <see cref="RouterReference"/>: gates, losses,
/// and the gradient of each by x and by every parameter, with and without padding.
/// </summary>
public sealed class RouterReferenceTests
{
    private const int E = 6, C = 4, B = 2, T = 10;
    private const double LeastGap = 1e-4;                        // a nearer decision could fall differently in float32

    private static readonly MoeConfig Moe = new()
    {
        Experts = E, Active = 2, BalanceLoss = 1, SequenceLoss = 1, GshardLoss = 1, ZLoss = 1, ImportanceLoss = 1, MinCapacity = 1,
    };

    private static readonly Dictionary<string, MoeConfig> Cases = new()
    {
        ["top-k"] = Moe,
        ["top-k, over all"] = Moe with { Renormalize = false, Active = 3 },
        ["top-k, one"] = Moe with { Renormalize = false, Active = 1 },
        ["top-k, one, divided"] = Moe with { Active = 1 },
        ["top-k, bias"] = Moe with { RouterBias = true },
        ["top-k, bias, over all, full"] = Moe with { RouterBias = true, Renormalize = false, CapacityFactor = 0.6f },
        ["top-k, scaling"] = Moe with { RoutedScaling = 2.5f },
        ["top-k, scaling, logit noise"] = Moe with { RoutedScaling = 2.5f, LogitNoise = 1, LoadLoss = 1 },
        ["top-k, groups"] = Moe with { Groups = 3, ActiveGroups = 2, RouterBias = true },
        ["top-k, one group, noise"] = Moe with { Groups = 2, ActiveGroups = 1, LogitNoise = 1 },
        ["top-k, groups, scaling, over all"] = Moe with
        {
            Groups = 3,
            ActiveGroups = 2,
            Active = 3,
            RoutedScaling = 1.5f,
            Renormalize = false,
        },
        ["top-k, groups of one"] = Moe with { Groups = E, ActiveGroups = 3 },
        ["top-k, all"] = Moe with { Active = E },
        ["top-k, logit noise"] = Moe with { LogitNoise = 1, LoadLoss = 1 },
        ["top-k, jitter and gate dropout"] = Moe with { Jitter = 0.1f, GateDropout = 0.2f },
        ["top-k, full by position"] = Moe with { CapacityFactor = 0.6f },
        ["top-k, full by probability"] = Moe with { CapacityFactor = 0.6f, Drop = DropOrder.Probability },
        ["top-k, full at random"] = Moe with { CapacityFactor = 0.6f, Drop = DropOrder.Random },
        ["noisy-top-k"] = Moe with { Router = RouterKind.NoisyTopK, LoadLoss = 1 },
        ["noisy-top-k, three, jitter"] = Moe with { Router = RouterKind.NoisyTopK, LoadLoss = 1, Active = 3, Jitter = 0.05f },
        ["switch"] = Moe with { Router = RouterKind.Switch, Jitter = 0.01f },
        ["switch, bias"] = Moe with { Router = RouterKind.Switch, RouterBias = true },
        ["noisy-top-k, bias"] = Moe with { Router = RouterKind.NoisyTopK, LoadLoss = 1, RouterBias = true },
        ["base, bias"] = Moe with { Router = RouterKind.Base, RouterBias = true },
        ["hierarchical, bias"] = Moe with { Router = RouterKind.Hierarchical, Groups = 3, ActiveGroups = 2, RouterBias = true },
        ["expert-choice, bias"] = Moe with { Router = RouterKind.ExpertChoice, GshardLoss = 0, RouterBias = true },
        ["switch, full, noise"] = Moe with { Router = RouterKind.Switch, CapacityFactor = 1, LogitNoise = 2, LoadLoss = 1 },
        ["gshard"] = Moe with { Router = RouterKind.GShard },
        ["gshard, full"] = Moe with { Router = RouterKind.GShard, CapacityFactor = 0.6f },
        ["expert-choice, sequence"] = Moe with { Router = RouterKind.ExpertChoice, GshardLoss = 0 },
        ["expert-choice, batch"] = Moe with { Router = RouterKind.ExpertChoice, GshardLoss = 0, ChoiceGroup = ChoiceGroup.Batch },
        ["expert-choice, position"] = Moe with
        {
            Router = RouterKind.ExpertChoice,
            GshardLoss = 0,
            ChoiceGroup = ChoiceGroup.Position,
            Active = 3,
        },
        ["base"] = Moe with { Router = RouterKind.Base },
        ["sinkhorn"] = Moe with { Router = RouterKind.Sinkhorn },
        ["sinkhorn, one"] = Moe with { Router = RouterKind.Sinkhorn, Active = 1 },
        ["hash"] = Moe with { Router = RouterKind.Hash },
        ["task"] = Moe with { Router = RouterKind.Task, Tasks = 3 },
        ["task, one"] = Moe with { Router = RouterKind.Task, Tasks = 3, Active = 1, Renormalize = false },
        ["soft"] = Moe with { Router = RouterKind.Soft, GshardLoss = 0 },
        ["hierarchical, two of both groups"] = Moe with { Router = RouterKind.Hierarchical, Groups = 2, ActiveGroups = 2, Active = 4 },
        ["hierarchical, one of two groups"] = Moe with { Router = RouterKind.Hierarchical, Groups = 3, ActiveGroups = 2 },
        ["hierarchical, over all"] = Moe with
        {
            Router = RouterKind.Hierarchical,
            Groups = 3,
            ActiveGroups = 2,
            Active = 4,
            Renormalize = false,
        },
        ["hierarchical, one group"] = Moe with { Router = RouterKind.Hierarchical },
        ["deepseek"] = Moe with { Router = RouterKind.DeepSeek, RoutedScaling = 2.5f },
        ["deepseek, groups, noise"] = Moe with { Router = RouterKind.DeepSeek, Groups = 3, ActiveGroups = 2, LogitNoise = 1 },
        ["deepseek, one"] = Moe with { Router = RouterKind.DeepSeek, Active = 1, Renormalize = false },
        ["deepseek, one, divided"] = Moe with { Router = RouterKind.DeepSeek, Active = 1, RoutedScaling = 1.5f },
        ["deepseek, undivided, bias of logits"] = Moe with
        {
            Router = RouterKind.DeepSeek,
            Renormalize = false,
            RoutedScaling = 2.5f,
            RouterBias = true,
        },
        ["random"] = Moe with { Router = RouterKind.Random },
        ["uniform"] = Moe with { Router = RouterKind.Uniform, CapacityFactor = 0.6f },
    };

    public static TheoryData<string, bool> CasesAndPadding
    {
        get
        {
            TheoryData<string, bool> data = [];
            foreach (string name in Cases.Keys)
            {
                data.Add(name, false);
                data.Add(name, true);
            }

            return data;
        }
    }

    [Fact]
    public void Cases_HaveEveryRouter() =>
        Assert.Equal(RouterTraits.All.Select(r => r.Kind).Order(), Cases.Values.Select(c => c.Router).Distinct().Order());

    [Theory]
    [MemberData(nameof(CasesAndPadding))]
    public void Training_GatesLossesAndGradients_AgreeWithDoubleReference(string name, bool padding)
    {
        using Trial trial = new(Cases[name], padding, training: true);
        double[] dgates = [.. trial.Random(3, T * E).Select(v => (double)v)];
        RouterRun run = trial.Run(dgates: [.. dgates.Select(v => (float)v)]);
        RouterValues expected = trial.Reference(run.Choices).Evaluate(trial.X, trial.Parameters);
        AssertClose([.. expected.Gates.SelectMany(g => g)], run.Gates, "gate");
        foreach (string loss in run.Losses.Keys)
            AssertClose([expected.Losses[loss]()], [run.Losses[loss]], loss);
        Assert.True(expected.Gap() > LeastGap, $"a decision is {expected.Gap():E1} from a tie; draw other numbers");

        AssertGradients(trial, run, v => v.Gates.SelectMany(g => g).Zip(dgates, (g, d) => g * d).Sum(), "gates");

        foreach (string loss in run.Losses.Keys)
            AssertGradients(trial, trial.Run(loss), v => v.Losses[loss](), loss);
    }

    [Theory]
    [MemberData(nameof(CasesAndPadding))]
    public void Inference_Gates_AgreeWithDoubleReference(string name, bool padding)
    {
        using Trial trial = new(Cases[name], padding, training: false);
        RouterRun run = trial.Run();
        RouterValues expected = trial.Reference(run.Choices).Evaluate(trial.X, trial.Parameters);
        Assert.True(expected.Gap() > LeastGap);
        AssertClose([.. expected.Gates.SelectMany(g => g)], run.Gates, "gate");
        Assert.Empty(run.Losses);
    }

    /// <summary>Analytic gradients by x and every parameter against central differences of the reference.</summary>
    private static void AssertGradients(Trial trial, RouterRun run, Func<RouterValues, double> objective, string what)
    {
        const double H = 1e-6;
        RouterReference reference = trial.Reference(run.Choices);
        foreach ((string name, float[] actual) in run.Gradients)
        {
            double[] at = name == "x" ? trial.X : trial.Parameters[name];
            double[] numeric = [.. Enumerable.Range(0, at.Length).Select(i =>
            {
                double before = at[i];
                at[i] = before + H;
                double above = objective(reference.Evaluate(trial.X, trial.Parameters));
                at[i] = before - H;
                double below = objective(reference.Evaluate(trial.X, trial.Parameters));
                at[i] = before;
                return (above - below) / (2 * H);
            })];
            double largest = numeric.Max(Math.Abs);
            for (int i = 0; i < at.Length; i++)
            {
                double error = Math.Abs(numeric[i] - actual[i]), allowed = 1e-3 * Math.Abs(numeric[i]) + 1e-5 * largest + 1e-7;
                Assert.True(error <= allowed, $"gradient of {what} by {name} [{i}]: expected {numeric[i]:G9}, got {actual[i]:G9}");
            }
        }
    }

    private static void AssertClose(double[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(
                Math.Abs(expected[i] - actual[i]) <= 2e-5 * (1 + Math.Abs(expected[i])),
                $"{what} [{i}]: expected {expected[i]:G9}, got {actual[i]:G9}");
        }
    }

    /// <summary>Two sequences of five tokens, perhaps with padding, the same random numbers for router and reference.</summary>
    private sealed class Trial : IDisposable
    {
        private readonly RouterHarness harness;
        private readonly MoeConfig moe;
        private readonly Pass pass;
        private readonly RouterTokens tokens;
        private readonly float[] noise;
        private readonly double[] bias = new double[E];

        public Trial(MoeConfig moe, bool padding, bool training)
        {
            this.moe = moe;
            harness = new RouterHarness(moe, C);
            noise = Random(1, T * E);
            pass = new Pass(training, Seed: 3, Step: 2) { FrozenRouterNoise = new Dictionary<int, float[]> { [0] = noise } };
            bool[]? counts = padding ? [.. Enumerable.Range(0, T).Select(t => t is not (4 or 8 or 9))] : null;
            tokens = new RouterTokens(B, [.. Enumerable.Range(0, T).Select(t => t * 5 % 3)], counts);
            X = [.. Random(2, T * C).Select(v => (double)v)];
            Parameters = harness.Parameters.ToDictionary(p => p.Key, p => Array.ConvertAll(p.Value, v => (double)v));
            if (moe.Router != RouterKind.DeepSeek)
                return;
            float[] steps = [-0.3f, 0, 0.1f, 0.2f, 0, -0.1f];
            harness.SetState("router.correction", steps);
            bias = Array.ConvertAll(steps, v => (double)v);
        }

        public double[] X { get; }

        public Dictionary<string, double[]> Parameters { get; }

        public float[] Random(int stream, int count)
        {
            Philox random = new(new RandomKey(8, RandomPurpose.Other, stream));
            return [.. Enumerable.Range(0, count).Select(i => random.Normal(i))];
        }

        public RouterRun Run(string? loss = null, float[]? dgates = null) =>
            harness.Run([.. X.Select(v => (float)v)], pass, tokens, loss, dgates);

        public RouterReference Reference(int[] choices) => new(moe, C, pass, tokens, noise, choices, bias);

        public void Dispose() => harness.Dispose();
    }
}
