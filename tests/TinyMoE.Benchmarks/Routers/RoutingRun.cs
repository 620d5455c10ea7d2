using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Benchmarks;

/// <summary>
/// One layer's router by itself, in training: logits, choices, the Assignment, losses, and the gradients back to x and to its weights.
/// </summary>
internal sealed class RoutingRun : IDisposable
{
    private readonly Backend backend;
    private readonly RunConfig config;
    private readonly ParameterStore store;
    private readonly Router router;
    private readonly float[] input;
    private readonly int[] ids;
    private int step;

    public RoutingRun(Backend backend, RunConfig config)
    {
        (this.backend, this.config) = (backend, config);
        store = new ParameterStore(backend);
        router = new MoeLayer(store, "moe", config.Model, config.Moe, layer: 0).Router;
        store.Allocate(seed: 1);
        int T = config.Train.Batch * config.Model.Context;
        Philox random = new(new RandomKey(1, RandomPurpose.Other, 0));
        input = [.. Enumerable.Range(0, T * config.Model.Width).Select(i => random.Normal(i))];
        ids = [.. Enumerable.Range(0, T).Select(i => random.Below(config.Model.Vocabulary, i))];
    }

    public void Step()
    {
        store.ZeroGrad();
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable((ids.Length, config.Model.Width), input);
        TokenBatch tokens = new(tape.Ints(ids), config.Train.Batch, config.Model.Context);
        Routing routing = router.Route(x, new RoutingContext(new Pass(Training: true, Seed: 1, Step: ++step), tokens));
        Tensor loss = routing.Assignment.Gates.Sum();
        foreach (BalanceLoss balance in routing.Losses)
            loss = loss.Add(balance.Value.Scale(balance.Weight));
        tape.Backward(loss);
        router.EndStep();
    }

    public void Dispose() => store.Dispose();
}
