using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.RandomNumbers;
using TinyMoE.Surgery;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Layers;

namespace TinyMoE.Tests.Surgery;

/// <summary>Mixtures made of dense models: what their first step computes, and what their experts hold.</summary>
public sealed class UpcycledWeightsTests
{
    private static readonly RunConfig Dense = TestModels.Tiny with
    {
        Model = TestModels.Tiny.Model with { Hidden = 24 },
        Moe = new MoeConfig { Experts = 0 },
    };

    [Theory]
    [InlineData("copy", "moe.experts=4 moe.active=2")]
    [InlineData("copy", "moe.experts=5 moe.active=3 moe.router=noisy-top-k")]
    [InlineData("copy", "moe.experts=4 moe.router=gshard")]
    [InlineData("copy", "moe.experts=4 moe.router=soft")]
    [InlineData("copy", "moe.experts=4 moe.active=2 moe.router=deepseek moe.routed_scaling=2.5")]
    [InlineData("copy", "moe.experts=6 moe.active=4 moe.router=hierarchical moe.groups=3 moe.active_groups=2")]
    [InlineData("copy", "moe.experts=4 moe.active=1")]
    [InlineData("copy", "moe.experts=4 moe.active=2 moe.router=uniform")]
    [InlineData("copy", "moe.experts=4 moe.active=3 moe.router=random")]
    [InlineData("granular", "moe.experts=8 moe.active=4 moe.hidden=12")]
    [InlineData("granular", "moe.experts=6 moe.active=3 moe.hidden=8 moe.router=deepseek")]
    public void FirstStep_WhereTheoryHasIt_IsTheDenseModel(string method, string keys)
    {
        foreach (RunConfig config in (RunConfig[])[Dense, WithBiases(Dense)])
        {
            foreach (bool shared in (bool[])[false, true])
            {
                string sizes = shared ? keys.Replace("hidden=12", "hidden=6").Replace("hidden=8", "hidden=4") : keys;
                UpcyclePlan plan = Plan(config, sizes, new UpcycleOptions { Method = Of(method), Shared = shared });
                Assert.Empty(plan.Differences(sources: 1));
                Assert.InRange(LargestDifference(plan), 0, 2e-5); // of logits of a size of 10
            }
        }
    }

    [Theory]
    [InlineData("copy", "moe.experts=4 moe.active=2 moe.renormalize=false", 1)]
    [InlineData("copy", "moe.experts=4 moe.router=switch", 1)]
    [InlineData("copy", "moe.experts=4 moe.active=1 moe.router=sinkhorn", 1)]
    [InlineData("copy", "moe.experts=4 moe.router=base", 1)]
    [InlineData("copy", "moe.experts=4 moe.active=2 moe.router=deepseek moe.renormalize=false", 1)]
    [InlineData("granular", "moe.experts=8 moe.active=4 moe.hidden=12 moe.renormalize=false", 1)]
    [InlineData("copy", "moe.experts=4 moe.active=2 moe.eval_capacity_factor=0.5 moe.min_capacity=1 moe.allow_non_causal=true", 1)]
    [InlineData("copy", "moe.experts=4 moe.active=2", 2)]
    [InlineData("partition", "moe.experts=4 moe.active=2", 1)]
    [InlineData("drop", "moe.experts=4 moe.active=2", 1)]
    public void FirstStep_WhereItIsNot_IsSaid(string method, string keys, int sources)
    {
        UpcyclePlan plan = Plan(Dense, keys, new UpcycleOptions { Method = Of(method) });
        Assert.NotEmpty(plan.Differences(sources));
        Assert.True(LargestDifference(plan, sources) > 1e-3);
    }

    [Fact]
    public void FirstStep_OfARouterOfZeros_IsTheDenseModel_WhateverTheGatesSumTo()
    {
        foreach (string keys in (string[])["moe.experts=4 moe.active=2 moe.renormalize=false", "moe.experts=4 moe.router=switch",
            "moe.experts=4 moe.router=base", "moe.experts=4 moe.active=2 moe.router=sinkhorn",
            "moe.experts=4 moe.active=2 moe.router=deepseek moe.renormalize=false",
            "moe.experts=6 moe.active=2 moe.router=hierarchical moe.groups=3 moe.active_groups=2"])
            Assert.InRange(LargestDifference(Plan(Dense, keys, new UpcycleOptions()), zeroRouters: true), 0, 2e-5);
    }

    [Fact]
    public void GoldenU1_CopiesOfADenseNetwork_ByTheGatesOfThreeRouters()
    {
        double[] p = [.18783236, .4180286, .11392608, .28021295], dense = [.79802985, -.00833684];
        IReadOnlyList<double[]> copies = Outputs("moe.experts=4 moe.active=2", new UpcycleOptions());
        Assert.All(copies, copy => Near(dense, copy));
        Near(dense, Weighted(copies, (1, .59868766), (3, .40131234)));
        IReadOnlyList<double[]> plain = Outputs("moe.experts=4 moe.active=2 moe.renormalize=false", new UpcycleOptions { Scale = 1 });
        Near([.55721761, -.00582113], Weighted(plain, (1, p[1]), (3, p[3])));
        IReadOnlyList<double[]> one = Outputs("moe.experts=4 moe.router=switch", new UpcycleOptions { Scale = 1 });
        Near([.33359931, -.00348504], Weighted(one, (1, p[1])));
    }

    [Fact]
    public void GoldenU2_ShardsOfTwoCopies_ScaledOnDownAlone()
    {
        UpcycleOptions granular = new() { Method = UpcycleMethod.Granular };
        const string Keys = "moe.experts=4 moe.active=2 moe.hidden=2";
        Near([.39901493, -.00416842], Weighted(Outputs(Keys, granular with { Scale = 1 }), (0, .5), (1, .5)));
        Near([.79802985, -.00833684], Weighted(Outputs(Keys, granular), (0, .5), (1, .5)));
        IReadOnlyList<double[]> overAll = Outputs($"{Keys} moe.renormalize=false", granular);
        Near([.79802985 * 1.33637554, -.00833684 * 1.33637554], Weighted(overAll, (0, .33409389), (1, .33409389)));
    }

    [Fact]
    public void Drop_DrawsItsShareOfNeurons_InAllThreeMatricesTheSame_WithTheirMeanAndDeviation()
    {
        RunConfig wide = Dense with { Model = Dense.Model with { Width = 64, Hidden = 400 } };
        UpcyclePlan plan = Plan(wide, "moe.experts=3 moe.active=2", new UpcycleOptions { Method = UpcycleMethod.Drop, DropRatio = 0.3f });
        using CpuBackend backend = new(1);
        using Decoder dense = Drawn(backend, wide, seed: 5);
        UpcycledWeights made = new(plan, [new StoredWeights(dense.Parameters)]);
        List<string> sets = [];
        for (int e = 0; e < 3; e++)
        {
            int[][] changed = [.. ((string[])["gate", "up", "down"]).Select(name =>
            {
                float[] before = Read(dense, $"layers.1.feed_forward.{name}.weight"), after = Expert(plan, made, 1, name, e);
                bool isDown = name == "down";
                int[] rows = [.. Enumerable.Range(0, 400).Where(j => Neuron(after, j, isDown)[0] != Neuron(before, j, isDown)[0])];
                float[] old = [.. rows.SelectMany(j => Neuron(before, j, isDown))];
                float[] drawn = [.. rows.SelectMany(j => Neuron(after, j, isDown))];
                Assert.Equal(old.Average(), drawn.Average(), 0.02 * Deviation(old));
                Assert.InRange(Deviation(drawn) / Deviation(old), 0.97, 1.03);
                return rows;
            })];
            Assert.Equal(120, changed[0].Length);
            Assert.Equal(changed[0], changed[1]);
            Assert.Equal(changed[0], changed[2]);
            sets.Add(string.Join(',', changed[0]));
        }

        Assert.Equal(3, sets.Distinct().Count()); // each expert its own

        float[] Neuron(float[] matrix, int j, bool isDown) => isDown ? [.. Enumerable.Range(0, 64).Select(c => matrix[(c * 400) + j])]
            : matrix[(j * 64)..((j + 1) * 64)];
    }

    [Theory]
    [InlineData(PartitionKind.Random, false)]
    [InlineData(PartitionKind.Clusters, false)]
    [InlineData(PartitionKind.Random, true)]
    [InlineData(PartitionKind.Clusters, true)]
    public void Partition_DealsOutEveryNeuronOnce_SoThatAllPartsTogetherAreTheDenseNetwork(PartitionKind kind, bool shared)
    {
        UpcycleOptions options = new() { Method = UpcycleMethod.Partition, Partition = kind, Shared = shared, Scale = 1 };
        UpcyclePlan plan = Plan(Dense, "moe.experts=4 moe.active=2", options);
        using CpuBackend backend = new(1);
        using Decoder dense = Drawn(backend, Dense, seed: 5);
        UpcycledWeights made = new(plan, [new StoredWeights(dense.Parameters)]);
        string[] rows = [.. Enumerable.Range(0, 4).SelectMany(e => Rows(Expert(plan, made, 0, "up", e)))];
        if (shared)
            rows = [.. rows, .. Rows(ReadAll(made, plan, "layers.0.moe.shared_experts.up.weight"))];
        Assert.Equal(Rows(Read(dense, "layers.0.feed_forward.up.weight")).Order(), rows.Order());

        static IEnumerable<string> Rows(float[] matrix) => matrix.Chunk(32).Select(row => string.Join(' ', row));
    }

    [Fact]
    public void Clusters_OfNeuronsInHeaps_AreTheHeaps()
    {
        float[] rows = new float[12 * 2];
        for (int j = 0; j < 12; j++)
            (rows[2 * j], rows[(2 * j) + 1]) = ((j % 3 * 10) + (0.1f * j), j % 3 == 1 ? 5 : 0);
        int[][] parts = NeuronParts.Clusters(rows, 12, 3, new Philox(new RandomKey(1, RandomPurpose.Other, 0)));
        Assert.Equal(["0 3 6 9", "1 4 7 10", "2 5 8 11"], parts.Select(part => string.Join(' ', part)).Order());
    }

    [Fact]
    public void Granular_ShardsOfACopy_HaveItsRouterRow_AndCopiesOthers()
    {
        UpcyclePlan plan = Plan(Dense, "moe.experts=8 moe.active=4 moe.hidden=12", new UpcycleOptions { Method = UpcycleMethod.Granular });
        using CpuBackend backend = new(1);
        using Decoder dense = Drawn(backend, Dense, seed: 5);
        float[][] rows = [.. ReadAll(new UpcycledWeights(plan, [new StoredWeights(dense.Parameters)]), plan, "layers.0.moe.router.weight")
            .Chunk(32)];
        for (int copy = 0; copy < 4; copy++)
            Assert.Equal(rows[2 * copy], rows[(2 * copy) + 1]);
        Assert.Equal(4, rows.Select(row => row[0]).Distinct().Count());
    }

    [Fact]
    public void SeveralModels_GiveExpertsInTurn_AndTheMeanOfTheRest()
    {
        UpcyclePlan plan = Plan(Dense, "moe.experts=4 moe.active=2", new UpcycleOptions());
        using CpuBackend backend = new(1);
        using Decoder first = Drawn(backend, Dense, seed: 5), second = Drawn(backend, Dense, seed: 6);
        UpcycledWeights made = new(plan, [new StoredWeights(first.Parameters), new StoredWeights(second.Parameters)]);
        for (int e = 0; e < 4; e++)
            Assert.Equal(Read(e % 2 == 0 ? first : second, "layers.1.feed_forward.down.weight"), Expert(plan, made, 1, "down", e));
        float[] a = Read(first, "layers.0.attention.query.weight"), b = Read(second, "layers.0.attention.query.weight");
        Assert.Equal(a.Zip(b, (x, y) => (x + y) / 2), ReadAll(made, plan, "layers.0.attention.query.weight"));
    }

    [Fact]
    public void Layers_ThatAreNamed_GetExperts_AndTheOthersStay()
    {
        UpcyclePlan plan = Plan(Dense, "moe.experts=4 moe.active=2", new UpcycleOptions { Layers = new LayerList(1) });
        Assert.Equal([1], Enumerable.Range(0, 2).Where(plan.Config.Moe.InLayer));
        Assert.InRange(LargestDifference(plan), 0, 2e-5);
    }

    [Fact]
    public void Read_InPieces_IsTheSameValues()
    {
        UpcyclePlan plan = Plan(Dense, "moe.experts=4 moe.active=2", new UpcycleOptions { Method = UpcycleMethod.Drop, Noise = 0.1f });
        using CpuBackend backend = new(1);
        using Decoder dense = Drawn(backend, Dense, seed: 5);
        UpcycledWeights made = new(plan, [new StoredWeights(dense.Parameters)]);
        foreach (Parameter parameter in Decoder.Plan(plan.Config))
        {
            float[] whole = ReadAll(made, plan, parameter.Name), pieces = new float[whole.Length];
            for (int first = 0; first < pieces.Length; first += 101)
                made.Read(parameter, first, pieces.AsSpan(first, Math.Min(101, pieces.Length - first)));
            Assert.Equal(whole, pieces);
        }
    }

    [Theory]
    [InlineData("moe.active=2", "copy", "How many experts are there to be?")]
    [InlineData("moe.experts=4 model.width=64", "copy", "model.width cannot change")]
    [InlineData("moe.experts=4 moe.hidden=13", "copy", "moe.hidden=13 does not fit")]
    [InlineData("moe.experts=5 moe.active=2", "partition", "24 hidden neurons cannot be dealt to 5 experts")]
    [InlineData("moe.experts=4 moe.active=2", "granular", "Set moe.hidden to the size of a shard")]
    [InlineData("moe.experts=4 moe.active=1 moe.hidden=12", "granular", "must be multiples of the 2 shards")]
    [InlineData("moe.experts=4 moe.active=2 moe.hidden=12 moe.router=gshard", "granular", "routers top-k and deepseek")]
    [InlineData("moe.experts=4 moe.router=hash", "copy", "goes by the text to learn")]
    [InlineData("moe.experts=4 moe.shared_experts=1", "copy", "nothing says what they begin as")]
    [InlineData("moe.experts=4 moe.dense_layers=0,1", "copy", "No layer would have experts")]
    public void Plan_OfWhatCannotBe_IsOneClearLine(string keys, string method, string expected) => Assert.Contains(
        expected, OneLine.Of(() => Plan(Dense, keys, new UpcycleOptions { Method = Of(method) })), StringComparison.Ordinal);

    [Fact]
    public void Plan_OfAMixture_IsRefused() => Assert.Contains(
        "begins with a dense one", OneLine.Of(() => Plan(TestModels.Tiny, "moe.experts=4", new UpcycleOptions())),
        StringComparison.Ordinal);

    private static UpcycleMethod Of(string method) => Enum.Parse<UpcycleMethod>(method, ignoreCase: true);

    private static RunConfig WithBiases(RunConfig config) => config with
    {
        Model = config.Model with { Biases = true, FeedForward = FeedForwardKind.Gelu },
    };

    private static UpcyclePlan Plan(RunConfig dense, string keys, UpcycleOptions options) => UpcyclePlan.Make(
        dense, [.. keys.Split(' ').Select(key => key.Split('=')).Select(pair => KeyValuePair.Create(pair[0], pair[1]))], options);

    /// <summary>A model whose weights, biases among them, are all drawn, and large enough that its logits differ.</summary>
    private static Decoder Drawn(CpuBackend backend, RunConfig config, int seed)
    {
        Decoder model = new(backend, config);
        View<float> weights = model.Parameters.Weights.All;
        backend.FillNormal(new RandomKey((ulong)seed, RandomPurpose.Other, 0), weights.Length, weights);
        backend.Affine(weights, 0.3f, 0f, weights.Length, weights);
        return model;
    }

    /// <summary>The largest difference of the logits of a mixture from those of its (first) dense model.</summary>
    private static double LargestDifference(UpcyclePlan plan, int sources = 1, bool zeroRouters = false)
    {
        using CpuBackend backend = new(1);
        Decoder[] dense = [.. Enumerable.Range(0, sources).Select(i => Drawn(backend, plan.Dense, seed: 5 + i))];
        UpcycledWeights made = new(plan, [.. dense.Select(model => new StoredWeights(model.Parameters))]);
        using Decoder mixture = new(backend, plan.Config, weights: made);
        foreach (Parameter router in mixture.Parameters.All.Where(p => zeroRouters && p.Part == ModelPart.Router))
            backend.Fill(router.Data, 0f);
        int[] ids = TestModels.Ids(3 * 16, plan.Dense.Model.Vocabulary);
        float[] expected = TestModels.Logits(backend, dense[0], ids, B: 3), actual = TestModels.Logits(backend, mixture, ids, B: 3);
        foreach (Decoder model in dense)
            model.Dispose();
        return expected.Zip(actual, (x, y) => Math.Abs((double)x - y)).Max();
    }

    private static float[] Read(Decoder model, string name) => model.Parameters.Values(model.Parameters.All.Single(p => p.Name == name));

    private static float[] ReadAll(UpcycledWeights made, UpcyclePlan plan, string name)
    {
        Parameter parameter = Decoder.Plan(plan.Config).Single(p => p.Name == name);
        float[] values = new float[parameter.Count];
        made.Read(parameter, 0, values);
        return values;
    }

    private static float[] Expert(UpcyclePlan plan, UpcycledWeights made, int layer, string projection, int e)
    {
        float[] all = ReadAll(made, plan, $"layers.{layer}.moe.experts.{projection}.weight");
        int size = all.Length / plan.Config.Moe.Experts;
        return all[(e * size)..((e + 1) * size)];
    }

    private static double Deviation(float[] values)
    {
        double mean = values.Average(v => (double)v);
        return Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
    }

    /// <summary>What each expert makes of x = (0.8, −0.4), of the network of the golden numbers (C = 2, F = 4), in double.</summary>
    private static IReadOnlyList<double[]> Outputs(string keys, UpcycleOptions options)
    {
        Dictionary<string, float[]> golden = new()
        {
            ["gate"] = [.5f, -1, 1.5f, .25f, -.75f, .5f, 1, 1],
            ["up"] = [1, .5f, -.5f, 1, .25f, -1, 2, .5f],
            ["down"] = [.5f, -1, .75f, .25f, 1, .5f, -.5f, -.25f],
        };
        double[] x = [.8, -.4];
        RunConfig small = Dense with
        {
            Model = Dense.Model with { Width = 2, Hidden = 4, Layers = 1 },
            Attention = new AttentionConfig { Heads = 1, KvHeads = 1 },
        };
        using CpuBackend backend = new(1);
        using Decoder dense = new(backend, small);
        foreach ((string name, float[] values) in golden)
            backend.Write<float>(values, dense.Parameters.All.Single(p => p.Name == $"layers.0.feed_forward.{name}.weight").Data);
        UpcyclePlan plan = Plan(small, keys, options);
        UpcycledWeights made = new(plan, [new StoredWeights(dense.Parameters)]);
        return [.. Enumerable.Range(0, plan.Config.Moe.Experts).Select(Output)];

        double[] Output(int e)
        {
            int F = plan.Config.Moe.Hidden;
            float[] gate = Expert(plan, made, 0, "gate", e), up = Expert(plan, made, 0, "up", e), down = Expert(plan, made, 0, "down", e);
            double[] hidden = [.. Enumerable.Range(0, F).Select(f =>
            {
                double g = (gate[2 * f] * x[0]) + (gate[(2 * f) + 1] * x[1]), u = (up[2 * f] * x[0]) + (up[(2 * f) + 1] * x[1]);
                return g / (1 + Math.Exp(-g)) * u;
            })];
            return [.. Enumerable.Range(0, 2).Select(c => Enumerable.Range(0, F).Sum(f => down[(c * F) + f] * hidden[f]))];
        }
    }

    private static double[] Weighted(IReadOnlyList<double[]> outputs, params (int Expert, double Gate)[] chosen) =>
        [.. Enumerable.Range(0, 2).Select(c => chosen.Sum(choice => choice.Gate * outputs[choice.Expert][c]))];

    private static void Near(double[] expected, double[] actual)
    {
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-6);
    }
}
