using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Generate;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Moe;
using TinyMoE.Moe.Losses;
using TinyMoE.Ops;
using TinyMoE.Tensors;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Moe;

/// <summary>
/// What every router must do, item by item. Goldens of every gate and loss are in <see cref="RouterGoldenTests"/>
/// and <see cref="GateGoldenTests"/>, gradients in <see cref="RouterReferenceTests"/>.
/// </summary>
public sealed class AcceptanceTests
{
    private const int T = 16, V = 29;

    public static TheoryData<string> All => [.. RouterModels.All];

    public static TheoryData<string> Causal => [.. RouterModels.Causal];

    public static TheoryData<string> BatchInvariant => [.. RouterModels.BatchInvariant];

    /// <summary>Whose choice in training depends on no other sequence of the batch, so that parts see what the whole would.</summary>
    public static TheoryData<string> ByTokenInTraining =>
        [.. RouterModels.All.Except(["base", "sinkhorn", RouterModels.ByPosition, RouterModels.ByBatch])];

    // The text of these tests has one label, and routing by task needs some: its training is tested with the data that has them.
    public static TheoryData<string> Trained => [.. RouterModels.All.Except(["task"])];

    [Fact]
    public void Item01_Goldens_OfTheFormulas()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        float[] values = [1, 0.2f, -0.5f, 0.3f, 0.5f, 0.9f, 0.4f, -0.2f, -0.3f, 0.5f, 1.2f, 0, 0.9f, -0.1f, 0.2f, 0.7f];
        Tensor logits = tape.Constant((4, 4), values), p = logits.Softmax();
        Assert.Equal(1.097581f, SwitchLoss.Of(p, logits.TopK(1), 1, 1).Item(), 1e-5f);
        Assert.Equal(1.023226f, SwitchLoss.Of(p, logits.TopK(2), 2, 2).Item(), 1e-5f);
        Assert.Equal(1.097581f, GShardLoss.Of(p, logits.TopK(2), 2).Item(), 1e-5f);
        Assert.Equal(3.447294f, ZLoss.Of(logits).Item(), 1e-5f);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Item02_UniformRouter_BalanceLossesAreExactlyOne(int K)
    {
        MoeConfig moe = new() { Experts = 4, Active = K, Renormalize = K > 1, BalanceLoss = 1, SequenceLoss = 1, GshardLoss = 1 };
        using RouterHarness router = new(moe, 8);
        router.Set("router.weight", new float[4 * 8]);
        float[] x = [.. Enumerable.Range(0, 16 * 8).Select(i => i % 7 - 3f)];
        RouterRun run = router.Run(x, new Pass(Training: true), new RouterTokens(2, new int[16]));
        Assert.Equal([1f, 1f, 1f], [run.Losses["balance"], run.Losses["sequence"], run.Losses["gshard"]]);
    }

    [Fact]
    public void Item02_BalancedLoad_IsZeroWithFiniteGradient()
    {
        // All logits are 0 and the draws of four tokens turn in a circle, so every expert has the same smooth load and the same importance.
        float[] turn = [2, 1, -1, -2], draws = [.. Enumerable.Range(0, 16).Select(i => turn[(i / 4 + i) % 4])];
        MoeConfig moe = new() { Router = RouterKind.NoisyTopK, Experts = 4, Active = 2, LoadLoss = 1, ImportanceLoss = 1 };
        using RouterHarness router = new(moe, 8);
        (float[] zero, float[] x) = (new float[32], [.. Enumerable.Range(0, 32).Select(i => i % 5 - 2f)]);
        router.Set("router.weight", zero);
        router.Set("router.noise.weight", zero);
        Pass pass = new(Training: true) { FrozenRouterNoise = new Dictionary<int, float[]> { [0] = draws } };
        foreach (string loss in (string[])["load", "importance"])
        {
            RouterRun run = router.Run(x, pass, new RouterTokens(1, new int[4]), loss);
            Assert.InRange(run.Losses[loss], 0f, 1e-10f);
            Assert.All(run.Gradients.Values.SelectMany(g => g), g => Assert.InRange(g, -1e-4f, 1e-4f));
        }
    }

    [Fact]
    public void Item03_Soft_EqualsSparseWithAllExperts()
    {
        using TestLayer soft = Layer("soft"), sparse = new(TestModels.Tiny with { Moe = TestModels.Tiny.Moe with { Active = 4 } });
        float[] x = soft.Input(9);
        AssertClose(sparse.Forward(x).Y, soft.Forward(x).Y, 1e-6f);
    }

    [Theory]
    [InlineData("top-k")]
    [InlineData("noisy-top-k")]
    [InlineData("gshard")]
    [InlineData("hash")]
    [InlineData("soft")]
    [InlineData("hierarchical", 4)]
    [InlineData("deepseek")]
    [InlineData("random")]
    [InlineData("uniform")]
    public void Item03_IdenticalExpertsAndGatesThatSumToOne_EqualTheDenseNetwork(string name, int active = 2)
    {
        RunConfig config = RouterModels.Of(name);
        using TestLayer layer = new(config with { Moe = config.Moe with { Active = active, SharedExperts = 0 } });
        foreach (string weight in (string[])["gate", "down", "up"])
            layer.MakeExpertsEqual(layer[$"experts.{weight}.weight"]);
        float[] x = layer.Input(9);
        using Tape tape = layer.Backend.NewTape(recording: false);
        Tensor input = tape.Constant((9, TestLayer.C), x);
        Ints first = tape.Ints([0, 9, 9, 9, 9]);
        Tensor h = input.GroupedLinear(layer["experts.gate.weight"], first).SwiGlu(input.GroupedLinear(layer["experts.up.weight"], first));
        AssertClose(h.GroupedLinear(layer["experts.down.weight"], first).ToArray(), layer.Forward(x).Y, 1e-6f);
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(1, false)]
    [InlineData(3, false)]
    public void Item03_HierarchicalWithOneGroup_EqualsFlatTopK(int K, bool renormalize)
    {
        MoeConfig moe = TestModels.Tiny.Moe with { Active = K, Renormalize = renormalize };
        using TestLayer flat = new(TestModels.Tiny with { Moe = moe });
        using TestLayer grouped = new(TestModels.Tiny with { Moe = moe with { Router = RouterKind.Hierarchical } });
        float[] x = flat.Input(9);
        AssertClose(flat.Forward(x).Y, grouped.Forward(x).Y, 1e-6f);
    }

    [Theory]
    [InlineData("top-k")]
    [InlineData("switch")]
    [InlineData("sinkhorn")]
    [InlineData("hierarchical")]
    [InlineData("deepseek")]
    [InlineData("base")]
    [InlineData("task")]
    [InlineData("expert-choice")]
    public void Item04_OneExpert_GateIsNoConstant_AndCrossEntropyReachesTheRouter(string name)
    {
        RunConfig config = RouterModels.Of(name).Without(balanceLosses: true);
        config = config with { Moe = config.Moe with { Active = 1, ActiveGroups = 1, Renormalize = false } };
        config.Validate();
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, config);
        int[] ids = TestModels.Ids(2 * T, V);
        using Tape tape = backend.NewTape();
        DecoderOutput output = model.Forward(tape, RouterModels.Tokens(tape, ids, 2), new Pass(Training: true, Seed: 1, Step: 1));
        float[] gates = output.Routings[0].Routing.Assignment.Gates.ToArray();
        Assert.True(gates.Distinct().Count() > 2 && gates.All(g => g is >= 0 and <= 1));
        tape.Backward(output.Logits.CrossEntropy(tape.Ints(TestModels.Ids(2 * T, V, seed: 2))));
        IEnumerable<Parameter> routers = model.Parameters.All.Where(p => p.Name.Contains("router.weight", StringComparison.Ordinal)
            || p.Name.Contains("centroids", StringComparison.Ordinal));
        Assert.All(routers, p => Assert.Contains(backend.Read(p.Grad), g => g != 0));
    }

    [Fact]
    public void Item04_OneExpert_GateIsTheProbabilityOverAll()
    {
        foreach (MoeConfig moe in (MoeConfig[])[new() { Router = RouterKind.Switch }, new() { Active = 1, Renormalize = false }])
        {
            using RouterHarness router = new(moe with { Experts = 3 }, 2);
            router.Set("router.weight", [1, 0, 0, 1, 0, 0]);       // logits x₀, x₁, 0
            float[] gates = router.Run([1, 2, -1, -3], Pass.Inference, new RouterTokens(1, [0, 0])).Gates;
            float first = MathF.Exp(2) / (MathF.Exp(1) + MathF.Exp(2) + 1), second = 1 / (MathF.Exp(-1) + MathF.Exp(-3) + 1);
            AssertClose([0, first, 0, 0, 0, second], gates, 1e-6f);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Item05_Evaluation_HasNoNoiseJitterCapacityDropout(string name)
    {
        using CpuBackend backend = new(2);
        using Decoder plain = RouterModels.Spread(backend, RouterModels.Of(name));
        using Decoder noisy = RouterModels.Spread(backend, RouterModels.Of(name).WithEverythingOfTraining());
        int[] ids = TestModels.Ids(2 * T, V);
        float[] logits = RouterModels.Logits(backend, noisy, ids, 2);
        Assert.Equal(RouterModels.Logits(backend, plain, ids, 2), logits);
        Assert.Equal(logits, RouterModels.Logits(backend, noisy, ids, 2));
    }

    [Theory]
    [MemberData(nameof(BatchInvariant))]
    public void Item05_Sequence_IsTheSameAloneAndInABatch(string name)
    {
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, RouterModels.Of(name));
        int[] a = TestModels.Ids(T, V, seed: 1), b = TestModels.Ids(2 * T, V, seed: 2);
        AssertClose(RouterModels.Logits(backend, model, a, 1), RouterModels.Logits(backend, model, [.. a, .. b], 3)[..(T * V)], 1e-5f);
    }

    [Fact]
    public void Item05_ExpertChoiceByPosition_DependsOnTheBatch_AsItSays()
    {
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, RouterModels.Of(RouterModels.ByPosition));
        int[] a = TestModels.Ids(T, V, seed: 1), b = TestModels.Ids(2 * T, V, seed: 2);
        Assert.NotEqual(RouterModels.Logits(backend, model, a, 1), RouterModels.Logits(backend, model, [.. a, .. b], 3)[..(T * V)]);
    }

    [Theory]
    [MemberData(nameof(Causal))]
    public void Item05_Cache_GivesTheLogitsOfTheWholeSequence(string name)
    {
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, RouterModels.Of(name));
        int[] ids = TestModels.Ids(T, V);
        float[] whole = RouterModels.Logits(backend, model, ids, 1);
        using DecoderCache cache = model.NewCache();
        for (int start = 0, length = 5; start < T; start += length, length = 1)
        {
            using Tape tape = backend.NewTape(recording: false);
            TokenBatch next = RouterModels.Tokens(tape, ids[start..(start + length)], 1);
            float[] last = model.Forward(tape, next, Pass.Inference, cache, lastOnly: true).Logits.ToArray();
            AssertClose(whole[((start + length - 1) * V)..((start + length) * V)], last, 1e-5f);
        }
    }

    [Fact]
    public void Item05_Generator_OfAModelThatLooksAhead_UsesNoCache()
    {
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, RouterModels.Of("expert-choice"));
        SamplingOptions greedy = new() { Temperature = 0 };
        IEnumerable<int> without = new Generator(backend, model, useCache: false).Generate([1, 2, 3], 20, greedy);
        Assert.Equal(without, new Generator(backend, model).Generate([1, 2, 3], 20, greedy));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Item06_MoreExpertsThanTokens_ExpertsWithoutTokensHaveZeroGradients(string name)
    {
        using TestLayer layer = Layer(name);
        for (int tokens = 1; tokens <= 3; tokens++)
        {
            (_, int[] counts) = layer.Train(layer.Input(tokens));
            foreach (string weight in (string[])["gate", "down", "up"])
            {
                float[] gradient = layer.Backend.Read(layer[$"experts.{weight}.weight"].Grad);
                int size = gradient.Length / 4;
                for (int e = 0; e < 4; e++)
                    Assert.Equal(counts[e] == 0, gradient.AsSpan(e * size, size).IndexOfAnyExcept(0f) < 0);
            }
        }
    }

    [Fact]
    public void Item06_MoreChoicesThanExperts_AreRefused()
    {
        RunConfig config = TestModels.Tiny with { Moe = TestModels.Tiny.Moe with { Active = 5 } };
        Assert.Contains("moe.active=5", Assert.Throws<TinyMoEException>(config.Validate).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Causal))]
    public void Item07_ChangedToken_LeavesEarlierOutputsUnchangedToTheBit(string name)
    {
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, RouterModels.Of(name));
        int[] ids = TestModels.Ids(2 * T, V);
        float[] before = RouterModels.Logits(backend, model, ids, 2);
        for (int changed = 1; changed < T; changed += 3)
        {
            float[] after = RouterModels.Logits(backend, model, Changed(ids, changed), 2);
            foreach (int sequence in (int[])[0, T * V])
                Assert.Equal(before.AsSpan(sequence, changed * V).ToArray(), after.AsSpan(sequence, changed * V).ToArray());
            Assert.NotEqual(before.AsSpan(changed * V, V).ToArray(), after.AsSpan(changed * V, V).ToArray());
        }
    }

    [Theory]
    [InlineData("expert-choice")]
    [InlineData(RouterModels.ByBatch)]
    public void Item07_RouterThatLooksAhead_ReallyDoes_AndIsRefusedUnlessAskedFor(string name)
    {
        RunConfig config = RouterModels.Of(name);
        AssertLooksAhead(config);
        config = config with { Moe = config.Moe with { AllowNonCausal = false } };
        Assert.Contains("moe.allow_non_causal", Assert.Throws<TinyMoEException>(config.Validate).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Item07_CapacityInEvaluation_ReallyLooksAhead_AndIsRefusedUnlessAskedFor()
    {
        MoeConfig moe = TestModels.Tiny.Moe with { EvalCapacityFactor = 0.5f, MinCapacity = 1, AllowNonCausal = true };
        RunConfig config = TestModels.Tiny with { Moe = moe };
        AssertLooksAhead(config);
        config = config with { Moe = config.Moe with { AllowNonCausal = false } };
        Assert.Contains("moe.eval_capacity_factor", Assert.Throws<TinyMoEException>(config.Validate).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Item08_Padding_CountsInNothing(string name)
    {
        // Eleven tokens, and the same with five more that are padding: outputs, loads, every loss, and what a router keeps.
        const int Real = 11;
        RunConfig config = RouterModels.Of(name);
        float capacity = RouterTraits.Of(config.Moe.Router).Drops ? 0.7f : 0;
        config = config with
        {
            Moe = config.Moe with { CapacityFactor = capacity, MinCapacity = 1, BalanceLoss = 1, SequenceLoss = 1, ImportanceLoss = 1 },
        };
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, config), other = RouterModels.Spread(backend, config);
        int[] ids = TestModels.Ids(T, V);
        using Tape tape = backend.NewTape();
        Pass pass = new(Training: true, Seed: 1, Step: 1);
        DecoderOutput real = model.Forward(tape, RouterModels.Tokens(tape, ids[..Real], 1), pass);
        DecoderOutput padded = other.Forward(tape, RouterModels.Tokens(tape, ids, 1, counting: Real), pass);
        AssertClose(real.Logits.ToArray(), padded.Logits.ToArray()[..(Real * V)], 1e-5f);
        for (int layer = 0; layer < real.Routings.Count; layer++)
        {
            Routing a = real.Routings[layer].Routing, b = padded.Routings[layer].Routing;
            Assert.Equal(a.Assignment.ReadCounts(), b.Assignment.ReadCounts());
            Assert.Equal(a.Losses.Select(l => l.Name), b.Losses.Select(l => l.Name));
            AssertClose([.. a.Losses.Select(l => l.Value.Item())], [.. b.Losses.Select(l => l.Value.Item())], 1e-5f);
        }

        Assert.Equal(model.State("router.counts"), other.State("router.counts"));
        int[] targets = [.. ids[..Real], .. Enumerable.Repeat(-1, T - Real)];
        Tensor realLoss = real.Logits.CrossEntropy(tape.Ints(ids.AsSpan(0, Real))), loss = padded.Logits.CrossEntropy(tape.Ints(targets));
        Assert.Equal(realLoss.Item(), loss.Item(), 1e-5f);
    }

    [Theory]
    [MemberData(nameof(ByTokenInTraining))]
    public void Item09_InParts_GradientOfCrossEntropyIsThatOfTheWholeBatch(string name)
    {
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, RouterModels.Of(name).Without(balanceLosses: true));
        int[] ids = TestModels.Ids(4 * T, V);
        float[] whole = RouterModels.Gradients(backend, model, ids, 4, parts: 1);
        foreach (int parts in (int[])[2, 4])
            AssertClose(whole, RouterModels.Gradients(backend, model, ids, 4, parts), 1e-5f * whole.Max(MathF.Abs));
    }

    [Fact]
    public void Item09_InParts_BiasOfDeepSeekSeesTheWholeBatchOnce()
    {
        RunConfig config = RouterModels.Of("deepseek");
        using CpuBackend backend = new(2);
        using Decoder whole = RouterModels.Spread(backend, config), parts = RouterModels.Spread(backend, config);
        int[] ids = TestModels.Ids(4 * T, V);
        RouterModels.Gradients(backend, whole, ids, 4, parts: 1);
        RouterModels.Gradients(backend, parts, ids, 4, parts: 4);
        float[] counts = whole.State("router.counts");
        Assert.Equal(counts, parts.State("router.counts"));
        Assert.Equal([128f, 128f], counts.Chunk(4).Select(layer => layer.Sum())); // 64 tokens of 2 choices, in both layers
        whole.EndStep();
        parts.EndStep();
        Assert.Equal(counts.Select(c => 1e-3f * Math.Sign(32 - c)), whole.State("router.correction"));
        Assert.Equal(whole.State("router.correction"), parts.State("router.correction"));
        Assert.All(whole.State("router.counts"), c => Assert.Equal(0f, c));
    }

    [Theory]
    [MemberData(nameof(Trained))]
    public void Item10_Training_SameBitsOnOneAndTwoThreadsAndAfterResume_AndTheLossFalls(string name)
    {
        RunConfig config = RouterModels.Of(name);
        config = config with
        {
            Moe = config.Moe with { Hash = HashKind.Balanced },
            Train = config.Train with { Steps = 16, EvalEvery = 8, Warmup = 2 },
        };
        using TemporaryFolder folder = new();
        IReadOnlyList<StepReport> steps = Train(config, folder["one"], threads: 1);
        Train(config, folder["two"], threads: 2, stopAt: 5);
        Train(config, folder["two"], threads: 2, resume: true);
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
            Assert.Equal(File.ReadAllBytes(folder[$"one/last/{file}"]), File.ReadAllBytes(folder[$"two/last/{file}"]));
        Assert.All(steps, step => Assert.True(float.IsFinite(step.Loss)));
        Assert.True(steps[^1].Loss < 0.98f * steps[0].Loss, $"loss went from {steps[0].Loss} to {steps[^1].Loss}");
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Item10_Gradients_SameBitsOnOneAndTwoThreads_WithAllThatTrainingDraws(string name)
    {
        float[] On(int threads)
        {
            using CpuBackend backend = new(threads);
            using Decoder model = RouterModels.Spread(backend, RouterModels.Of(name).WithEverythingOfTraining());
            return RouterModels.Gradients(backend, model, TestModels.Ids(4 * T, V), 4, parts: 2);
        }

        float[] one = On(1);
        Assert.Equal(one, On(2));
        Assert.All(one, g => Assert.True(float.IsFinite(g)));
    }

    [Theory]
    [MemberData(nameof(Trained))]
    public void SteadyState_OfEveryRouter_NoPoolMiss_LittleManagedMemory(string name)
    {
        const int WarmUp = 3, Measured = 3, MostBytes = 64 * 1024;
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        RunConfig config = RouterModels.Of(name).WithEverythingOfTraining().For(corpus);
        using CpuBackend backend = new(2);
        List<(long Misses, long Bytes)> marks = [];
        RecordingListener listener = new() { Then = _ => marks.Add((backend.Pool.Misses, GC.GetAllocatedBytesForCurrentThread())) };
        config = config with { Train = config.Train with { EvalEvery = 1000 } };
        using Trainer trainer = new(backend, config, corpus, new RunFolder(folder["a"]), listener);
        trainer.Run(stopAt: WarmUp + Measured);
        Assert.Equal(marks[WarmUp - 1].Misses, marks[^1].Misses);
        Assert.InRange((marks[^1].Bytes - marks[WarmUp - 1].Bytes) / Measured, 0, MostBytes);
    }

    [Theory]
    [MemberData(nameof(Trained))]
    public void Item11_EvaluationLoss_IsPureCrossEntropy_AndEveryLayerReports(string name)
    {
        Corpus corpus = TestModels.Corpus();
        RunConfig config = RouterModels.Of(name).For(corpus), loud = config.WithEverythingOfTraining();
        loud = loud with { Moe = loud.Moe with { BalanceLoss = 100, SequenceLoss = 100, ZLoss = 100, ImportanceLoss = 100 } };
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, loud);
        int[] windows = [0, 1, 2, 5], inputs = new int[4 * T], targets = new int[4 * T];
        for (int i = 0; i < windows.Length; i++)
            corpus.ValidationWindow(windows[i], inputs.AsSpan(i * T, T), targets.AsSpan(i * T, T));
        int vocabulary = config.Model.Vocabulary;
        float[] logits = name == RouterModels.ByBatch // each window is a group of its own
            ? [.. inputs.Chunk(T).SelectMany(window => RouterModels.Logits(backend, model, window, 1))]
            : RouterModels.Logits(backend, model, inputs, 4);
        float[][] rows = [.. logits.Chunk(vocabulary)];
        double expected = targets.Zip(rows, (target, row) => Math.Log(row.Sum(v => Math.Exp(v))) - row[target]).Average();

        (EvalReport report, IReadOnlyList<RoutingReport> routing) =
            Evaluation.Run(backend, model, corpus.ForEvaluation(T, windows), step: 1);
        Assert.Equal(expected, report.Loss, 1e-4);
        Assert.Equal([0, 1], routing.Select(layer => layer.Layer));
        Assert.All(routing, layer =>
        {
            Assert.True(Math.Abs(layer.Load.Sum() - 1) < 1e-5 && float.IsFinite(layer.Entropy ?? 0));
            Assert.True(layer.MaxViolation >= 0 && layer.Dead >= 0);
        });
    }

    private static TestLayer Layer(string name) => new(RouterModels.Of(name));

    private static int[] Changed(int[] ids, int place)
    {
        int[] other = [.. ids];
        other[place] = (other[place] + 1) % V;
        return other;
    }

    private static void AssertLooksAhead(RunConfig config)
    {
        config.Validate();
        Assert.True(config.Moe.LooksAhead);
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, config);
        int[] ids = TestModels.Ids(T, V);
        float[] before = RouterModels.Logits(backend, model, ids, 1);
        Assert.Contains(Enumerable.Range(1, T - 1), changed =>
        {
            float[] after = RouterModels.Logits(backend, model, Changed(ids, changed), 1);
            return !before.AsSpan(0, changed * V).SequenceEqual(after.AsSpan(0, changed * V));
        });
    }

    private static List<StepReport> Train(RunConfig config, string folder, int threads, int stopAt = int.MaxValue, bool resume = false)
    {
        Corpus corpus = TestModels.Corpus();
        using CpuBackend backend = new(threads);
        RecordingListener listener = new();
        using Trainer trainer = new(backend, config.For(corpus), corpus, new RunFolder(folder), listener, resume);
        trainer.Run(stopAt);
        return listener.Steps;
    }

    private static void AssertClose(float[] expected, float[] actual, float tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(MathF.Abs(expected[i] - actual[i]) <= tolerance, $"[{i}]: expected {expected[i]:G9}, got {actual[i]:G9}");
    }
}
