using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Backends.Profiling;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Optim;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Layers;

[Collection(AloneCollection.Name)]
public sealed class ParameterStoreTests
{
    private static readonly TrainConfig Unclipped = new() { Clip = 0f, WeightDecay = 0.1f };

    [Theory]
    [InlineData("plain", "attention")]
    [InlineData("plain", "experts")]
    [InlineData("noisy", "layers.0")]
    [InlineData("bfloat16", "experts.gate")]
    [InlineData("switch-head", "attention")]
    [InlineData("latent", "key_value_up")]
    [InlineData("plain", "embedding")]
    public void Frozen_KeepsItsValues_AndTheOthersTrainAsIfItTrained(string name, string frozenNames)
    {
        // Without a clip an update of a weight depends on its own gradient only, and at the first step the forward pass is the same.
        using CpuBackend backend = new(2);
        using Decoder whole = new(backend, TestModels.Named(name)), part = new(backend, TestModels.Named(name), frozen: IsFrozen);
        float[][] before = Values(part);
        foreach ((Parameter parameter, float[] values) in whole.Parameters.All.Zip(before))
            Assert.Equal(Seen(whole.Parameters.Values(parameter), parameter.Precision, IsFrozen(parameter.Name)), values);

        AdamW all = Step(backend, whole), some = Step(backend, part);
        foreach ((Parameter expected, Parameter actual, float[] old) in whole.Parameters.All.Zip(part.Parameters.All, before))
        {
            Assert.Equal(IsFrozen(actual.Name), actual.IsFrozen);
            Assert.Equal(!actual.IsFrozen, actual.HasGrad);
            Assert.False(actual.IsFrozen && actual.WantsGrad);
            Assert.Equal(actual.IsFrozen ? old : whole.Parameters.Values(expected), part.Parameters.Values(actual));
        }

        double norm = Math.Sqrt(part.Parameters.All.Where(p => !p.IsFrozen).Sum(p => backend.Read(p.Grad).Sum(g => (double)g * g)));
        Assert.Equal(norm, backend.Read(some.GradientNorm)[0], 1e-6 * norm);
        Assert.True(backend.Read(some.GradientNorm)[0] < backend.Read(all.GradientNorm)[0]);
        Assert.Equal(part.Parameters.Weights.Length, some.FirstMoments.Length);
        long frozen = part.Parameters.All.Where(p => p.IsFrozen).Sum(p => (long)p.Count);
        Assert.InRange(whole.Parameters.Weights.Length - part.Parameters.Weights.Length, frozen, frozen + 16 * part.Parameters.All.Count);

        // A frozen parameter that computes in bfloat16 has no float32 values.
        static float[] Seen(float[] values, ElementType precision, bool isFrozen) => isFrozen && precision == ElementType.Bfloat16
            ? Array.ConvertAll(values, value => Bfloat16.Widen(Bfloat16.Narrow(value)))
            : values;

        bool IsFrozen(string parameter) => parameter.Contains(frozenNames, StringComparison.Ordinal);
    }

    [Fact]
    public void Everything_Frozen_CannotTrain()
    {
        using CpuBackend backend = new(1);
        using Decoder model = new(backend, TestModels.Tiny, frozen: _ => true);
        Assert.True(model.Parameters.Weights.IsNone);
        model.Parameters.RequireGradients();
        Assert.Contains("nothing to train", Assert.Throws<InvalidOperationException>(() => new AdamW(model.Parameters, Unclipped)).Message);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(1000)]
    [InlineData(2048)]
    public void Blocks_WalkedInChunks_UpdateToTheSameBits(int chunk)
    {
        using CpuBackend backend = new(2);
        (float[] expected, float norm) = Train(FlatBlock.LargestChunk);
        (float[] actual, float chunked) = Train(chunk);
        Assert.Equal(expected, actual);
        Assert.Equal(norm, chunked, 1e-6f * norm);

        (float[], float) Train(int largest)
        {
            using ParameterStore store = new(backend) { LargestChunk = largest };
            store.Add("a", (37, 41), Initializer.Normal(1f));
            store.Add("b", 1003, Initializer.Normal(1f));
            store.Add("c", (30, 30), Initializer.Normal(1f), precision: ElementType.Bfloat16);
            store.Allocate(seed: 3);
            foreach ((Parameter parameter, int i) in store.All.Select((p, i) => (p, i)))
                backend.FillNormal(new RandomKey(9, RandomPurpose.Other, i), parameter.Count, parameter.GradTarget().View);
            AdamW optimizer = new(store, Unclipped);
            optimizer.Step(1, 1e-2f);
            float[] copies = Array.ConvertAll(backend.Read(store.Bfloat16Weights.All), Bfloat16.Widen);
            float[] all = [.. backend.Read(store.Weights.All), .. copies, .. backend.Read(optimizer.SecondMoments.All)];
            return (all, backend.Read(optimizer.GradientNorm)[0]);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void FirstValues_OfMoreThanAPiece_AreTheNumbersOneByOne(bool truncated)
    {
        const int Count = 16 * 1024 * 5 + 3;
        const ulong Seed = 17;
        using CpuBackend backend = new(1);
        using ParameterStore store = new(backend);
        store.Add("before", 3, Initializer.Ones);
        Parameter drawn = store.Add("drawn", Count, truncated ? Initializer.TruncatedNormal(0.5f) : Initializer.Normal(0.5f));
        store.Allocate(Seed);
        Assert.Equal(Enumerable.Range(0, Count).Select(i => 0.5f * Draw(i)), backend.Read(drawn.Data));

        float Draw(int i)
        {
            for (int attempt = 0; ; attempt++)
            {
                float number = new Philox(new RandomKey(Seed, RandomPurpose.Initialization, attempt, Layer: 1)).Normal(i);
                if (!truncated || MathF.Abs(number) <= 2f)
                    return number;
            }
        }
    }

    [Fact]
    public void Blocks_LongerThanAView_AreCountedInSixtyFourBits()
    {
        const int Matrices = 6, Rows = 1 << 20, Columns = 1500;              // 9.4 · 10⁹ weights
        using ProfilingBackend dry = ProfilingBackend.DryRun();
        using ParameterStore store = new(dry);
        for (int i = 0; i < Matrices; i++)
            store.Add($"m{i}", (Rows, Columns), Initializer.Zeros);
        store.Place(training: true);
        const long All = (long)Matrices * Rows * Columns;
        Assert.Equal((All, All, All), (store.Count, store.Weights.Length, store.DecayingLength));
        Assert.Equal(5L * Rows * Columns, store.All[5].Offset);
        Assert.Equal(store.Weights.Slice(5L * Rows * Columns, 1).Address, store.All[5].Data.Address);
        Assert.Throws<OverflowException>(() => store.Weights.All);

        new AdamW(store, Unclipped).Step(1, 1e-3f);
        KernelProfile[] updates = [.. dry.Kernels.Where(kernel => kernel.Name.StartsWith("AdamW", StringComparison.Ordinal))];
        Assert.Equal(16.0 * All, updates.Sum(kernel => kernel.Flops));
        Assert.Equal(9, updates.Sum(kernel => kernel.Calls));                // of 2³⁰ each at most
        Assert.Equal(16 * All, dry.Pool.LiveBytes, tolerance: 1000);
    }

    [Fact]
    public void Frozen_MoreThanAnIntCanCount_TakesNoMemoryWhereItIsReadInPlace()
    {
        using CpuBackend backend = new(1);
        using ParameterStore store = new(backend);
        for (int i = 0; i < 3; i++)
        {
            store.Add($"stack{i}", (64, 1 << 12, 1 << 12), Initializer.Zeros);
            store.Add($"matrix{i}", (1 << 15, 1 << 15), Initializer.Zeros);
        }

        store.Allocate(1, training: false, new Elsewhere());
        Assert.Equal(6L << 30, store.Count);
        Assert.All(store.All, p => Assert.True(p.IsMapped && p.Precision == ElementType.Float16));
        Assert.InRange(backend.Pool.LiveBytes, 3 * 64 * 8, 10_000);      // the tables of addresses
        Assert.True(store.All[0].Weights.LieApart && !store.All[1].Weights.LieApart);
    }

    /// <summary>Weights at addresses that nobody reads.</summary>
    private sealed class Elsewhere : IWeightSource
    {
        public ElementType TypeOf(Parameter parameter) => ElementType.Float16;

        public nint AddressOf(Parameter parameter) => parameter.Shape.Rank == 2 ? 4096 : 0;

        public nint[]? AddressesOf(Parameter parameter) => [.. Enumerable.Range(1, 64).Select(e => (nint)(e * 4096))];

        public void Read(Parameter parameter, int first, Span<float> values) => throw new InvalidOperationException();

        public void Read(Parameter parameter, int first, Span<ushort> values) => throw new InvalidOperationException();

        public void Read(StateTensor state, Span<float> values) => throw new InvalidOperationException();
    }

    [Fact]
    [Trait("Category", "Large")]
    public void Block_OfMoreThanTwoGibibytes_Trains()
    {
        const int Rows = 545, Columns = 1_000_000;                           // 2.18 · 10⁹ bytes, four times
        if (GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - GC.GetGCMemoryInfo().MemoryLoadBytes < 12L << 30)
            return; // no room for it on this machine now

        using CpuBackend backend = new(2);
        using ParameterStore store = new(backend);
        store.Add("large", (Rows, Columns), Initializer.Ones);
        store.Add("after", (3, 4), Initializer.Ones);
        store.Allocate(1);
        Assert.True(store.Weights.Length * sizeof(float) > 1L << 31);
        foreach (Parameter parameter in store.All)
            backend.Fill(parameter.GradTarget().View, 0.5f);
        AdamW optimizer = new(store, Unclipped);
        optimizer.Step(1, 0.25f);

        double norm = 0.5 * Math.Sqrt((double)Rows * Columns + 12);
        Assert.Equal(norm, backend.Read(optimizer.GradientNorm)[0], 1e-6 * norm);
        float expected = backend.Read(store.All[1].Data)[11];                // 1 − 0.25·(1 + 0.1·1)
        Assert.Equal(0.725f, expected, 1e-6f);
        View<float> large = store.All[0].Data;
        foreach (int at in (int[])[0, 268_435_456, 536_870_911, 536_870_912, large.Length - 4])
            Assert.All(backend.Read(large.Slice(at, 4)), w => Assert.Equal(expected, w));
    }

    private static AdamW Step(Backend backend, Decoder model)
    {
        const int T = 16;
        AdamW optimizer = new(model.Parameters, Unclipped);
        using Tape tape = backend.NewTape();
        int V = model.Config.Model.Vocabulary;
        View<int> ids = tape.Ints(TestModels.Ids(2 * T, V)), targets = tape.Ints(TestModels.Ids(2 * T, V, seed: 2));
        DecoderOutput output = model.Forward(tape, ids, 2, T, new Pass(Training: true, Seed: 1, Step: 1));
        tape.Backward(Objective.Of(output, targets).Total);
        model.Parameters.RequireGradients();
        optimizer.Step(1, 1e-2f);
        return optimizer;
    }

    private static float[][] Values(Decoder model) => [.. model.Parameters.All.Select(p => model.Parameters.Values(p))];
}
