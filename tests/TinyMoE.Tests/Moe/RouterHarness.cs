using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Moe.Routers;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Moe;

/// <summary>The tokens that a router is tried on, besides their vectors.</summary>
/// <param name="Sequences">Sequences, B.</param>
/// <param name="Labels">The label of each token.</param>
/// <param name="Counts">Which tokens count; null: all.</param>
internal sealed record RouterTokens(int Sequences, int[] Labels, bool[]? Counts = null);

/// <summary>What a router made of some tokens.</summary>
/// <param name="Gates">The gate of each token at each expert, 0 where it does not go (T, E).</param>
/// <param name="Choices">What each token wanted (T, K).</param>
/// <param name="Counts">Rows per expert.</param>
/// <param name="Losses">The balance losses by name.</param>
/// <param name="Gradients">The gradient of the objective by x and by each parameter.</param>
internal sealed record RouterRun(
    float[] Gates, int[] Choices, int[] Counts, IReadOnlyDictionary<string, float> Losses, IReadOnlyDictionary<string, float[]> Gradients);

/// <summary>One router by itself, on one thread, with weights large enough to tell tokens apart.</summary>
internal sealed class RouterHarness : IDisposable
{
    private readonly CpuBackend backend = new(1);
    private readonly ParameterStore store;
    private readonly Router router;
    private readonly MoeConfig moe;
    private readonly int width;

    public RouterHarness(MoeConfig moe, int width)
    {
        (this.moe, this.width) = (moe, width);
        store = new ParameterStore(backend);
        ModelConfig model = TestModels.Tiny.Model with { Width = width };
        router = RouterFactory.Create(new RouterSite(store, "moe", model, moe, Layer: 0));
        store.Allocate(seed: 5);
        foreach (Parameter parameter in store.All)
        {
            Philox random = new(new RandomKey(9, RandomPurpose.Other, (int)parameter.Offset));
            backend.Write<float>([.. Enumerable.Range(0, parameter.Count).Select(i => 0.5f * random.Normal(i))], parameter.Data);
        }
    }

    /// <summary>The values of each parameter, by its name without the layer's.</summary>
    public Dictionary<string, float[]> Parameters => store.All.ToDictionary(p => p.Name["moe.".Length..], p => backend.Read(p.Data));

    public void Set(string parameter, float[] values) =>
        backend.Write<float>(values, store.All.Single(p => p.Name == $"moe.{parameter}").Data);

    public float[] State(string name) => backend.Read(store.States.Single(s => s.Name == $"moe.{name}").Data);

    public void SetState(string name, float[] values) =>
        backend.Write<float>(values, store.States.Single(s => s.Name == $"moe.{name}").Data);

    public void EndStep() => router.EndStep();

    /// <summary>
    /// Routes x (T, C). The objective is the loss of that name, or, without a
    /// name, Σ gates·<paramref name="dgates"/> (T, E), the gradient by the gates.
    /// </summary>
    public RouterRun Run(float[] x, Pass pass, RouterTokens tokens, string? loss = null, float[]? dgates = null)
    {
        int T = x.Length / width, E = moe.Experts;
        store.ZeroGrad();
        using Tape tape = backend.NewTape();
        Tensor input = tape.Variable((T, width), x);
        TokenBatch batch = new(tape.Ints([.. Enumerable.Range(0, T).Select(t => t * 7 % 29)]), tokens.Sequences, T / tokens.Sequences)
        {
            Labels = tape.Ints(tokens.Labels),
            Mask = tokens.Counts is null ? null : new TokenMask(tape, tokens.Counts, T / tokens.Sequences),
        };
        Routing routing = router.Route(input, new RoutingContext(pass, batch));
        Assignment assignment = routing.Assignment;

        int[] offsets = backend.Read(assignment.Offsets), rowTokens = backend.Read(assignment.Tokens);
        float[] rowGates = assignment.Gates.ToArray(), gates = new float[T * E], drows = new float[assignment.Rows];
        for (int e = 0; e < E; e++)
        {
            for (int n = offsets[e]; n < offsets[e + 1]; n++)
            {
                gates[rowTokens[n] * E + e] += rowGates[n];
                drows[n] = dgates?[rowTokens[n] * E + e] ?? 0f;
            }
        }

        for (int n = offsets[E]; n < assignment.Rows; n++)
            Assert.Equal((-1, 0f), (rowTokens[n], rowGates[n]));  // unassigned rows
        Dictionary<string, float> losses = routing.Losses.ToDictionary(l => l.Name, l => l.Value.Item());
        RouterRun run = new(gates, backend.Read(routing.Choices), assignment.ReadCounts(), losses, new Dictionary<string, float[]>());
        if (dgates is null && loss is null)
            return run;

        tape.Backward(loss is null
            ? assignment.Gates.Multiply(tape.Constant(drows.Length, drows)).Sum()
            : routing.Losses.Single(l => l.Name == loss).Value);
        Dictionary<string, float[]> gradients = new() { ["x"] = input.HasGrad ? backend.Read(input.Grad) : new float[x.Length] };
        foreach (Parameter parameter in store.All)
            gradients[parameter.Name["moe.".Length..]] = parameter.HasGrad ? backend.Read(parameter.Grad) : new float[parameter.Count];
        return run with { Gradients = gradients };
    }

    public void Dispose()
    {
        store.Dispose();
        Assert.Equal(0, backend.Pool.LiveBuffers);
        backend.Dispose();
    }
}
