using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Moe;

/// <summary>One MoE layer with weights large enough to tell tokens apart.</summary>
internal sealed class TestLayer : IDisposable
{
    public const int C = 32;

    private readonly ParameterStore store;

    public TestLayer(RunConfig config)
    {
        store = new ParameterStore(Backend);
        Moe = new MoeLayer(store, "moe", config.Model, config.Moe, layer: 0);
        store.Allocate(seed: 5);
        foreach (Parameter parameter in store.All)
            Backend.FillNormal(new RandomKey(9, RandomPurpose.Other, (int)parameter.Offset), parameter.Count, parameter.Data);
        Backend.Affine(store.Weights.All, 0.1f, 0f, store.Weights.All.Length, store.Weights.All);
    }

    public CpuBackend Backend { get; } = new(2);

    public MoeLayer Moe { get; }

    public Parameter this[string name] => store.All.Single(p => p.Name == $"moe.{name}");

    public float[] Input(int tokens)
    {
        Philox random = new(new RandomKey(2, RandomPurpose.Other, tokens));
        return [.. Enumerable.Range(0, tokens * C).Select(i => random.Normal(i))];
    }

    public (float[] Y, int[] Counts) Forward(float[] x)
    {
        using Tape tape = Backend.NewTape(recording: false);
        Tensor input = tape.Constant((x.Length / C, C), x);
        (Tensor y, Routing routing) = Moe.Forward(input, RoutingContext.For(input, Pass.Inference));
        return (y.ToArray(), routing.Assignment.ReadCounts());
    }

    public (float[] Y, int[] Counts) ForwardBackward(float[] x)
    {
        using Tape tape = Backend.NewTape();
        Tensor input = tape.Variable((x.Length / C, C), x);
        (Tensor y, Routing routing) = Moe.Forward(input, RoutingContext.For(input, Pass.Inference));
        (float[] output, int[] counts) = (y.ToArray(), routing.Assignment.ReadCounts());
        tape.Backward(y.Square().Sum());
        store.RequireGradients();
        return (output, counts);
    }

    /// <summary>
    /// Forward and backward of one sequence in training, from the sum of
    /// squares and the balance losses; every gradient is checked to be finite.
    /// </summary>
    public (float[] Y, int[] Counts) Train(float[] x)
    {
        int T = x.Length / C;
        store.ZeroGrad();
        using Tape tape = Backend.NewTape();
        Tensor input = tape.Variable((T, C), x);
        TokenBatch tokens = RouterModels.Tokens(tape, [.. Enumerable.Range(0, T)], 1);
        (Tensor y, Routing routing) = Moe.Forward(input, new RoutingContext(new Pass(Training: true, Seed: 1, Step: 1), tokens));
        (float[] output, int[] counts) = (y.ToArray(), routing.Assignment.ReadCounts());
        tape.Backward(routing.Losses.Aggregate(y.Square().Sum(), (sum, loss) => sum.Add(loss.Value)));
        Assert.All(output.Concat(Backend.Read(input.Grad)), v => Assert.True(float.IsFinite(v)));
        Assert.All(store.All.Where(p => p.HasGrad), p => Assert.All(Backend.Read(p.Grad), v => Assert.True(float.IsFinite(v))));
        return (output, counts);
    }

    public void MakeExpertsEqual(Parameter weight)
    {
        int size = weight.Count / weight.Shape[0];
        float[] first = Backend.Read(weight.Data.Slice(0, size));
        for (int e = 1; e < weight.Shape[0]; e++)
            Backend.Write<float>(first, weight.Data.Slice(e * size, size));
    }

    public void Dispose()
    {
        store.Dispose();
        Assert.Equal(0, Backend.Pool.LiveBuffers);
        Backend.Dispose();
    }
}
