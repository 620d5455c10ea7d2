using TinyMoE.Backends;
using TinyMoE.Backends.Profiling;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Cuda.Budget;

/// <summary>What a token of generation takes on a card, on paper, with a full context: memory and launches bound all of it.</summary>
/// <param name="Launches">Of our kernels.</param>
/// <param name="Products">Calls of cuBLAS.</param>
/// <param name="Copies">Between host and card, and fills.</param>
/// <param name="Bytes">That must be moved.</param>
/// <param name="Waits">Of the host, per token.</param>
/// <param name="IsGraph">Whether the token is one launch.</param>
/// <param name="Card">What computes.</param>
internal sealed record DecodeBudget(long Launches, long Products, long Copies, double Bytes, double Waits, bool IsGraph, Card Card)
{
    private const int Together = 16; // tokens per read

    /// <summary>Microseconds of the card.</summary>
    public double Device => Bytes / (Card.Copy * 1e6) + (Launches * Card.Ramp) + (Products * Card.ProductRamp) + (Copies * 2)
        + ((Launches + Products + Copies) * (IsGraph ? Card.GraphGap : Card.Gap));

    /// <summary>Microseconds of the host that asks for it.</summary>
    public double Host => IsGraph ? Card.HostProduct : ((Launches + Copies) * Card.HostLaunch) + (Products * Card.HostProduct);

    /// <summary>Microseconds per token: the longer of the two, and the bubbles of the waits.</summary>
    public double Microseconds => Math.Max(Device, Host) + (Waits * Card.Bubble);

    /// <summary>The host reads the logits of each token and the rows of each expert, which cuBLAS multiplies in one call.</summary>
    public static DecodeBudget ByHost(RunConfig config, Card card) => Of(config, card, isThere: false);

    /// <summary>Tokens are chosen on the card, our own kernels multiply for experts, and the step is a graph.</summary>
    public static DecodeBudget OnCard(RunConfig config, Card card) => Of(config, card, isThere: true);

    private static DecodeBudget Of(RunConfig config, Card card, bool isThere)
    {
        CountedKernel[] kernels = Count(config, isThere);
        long grouped = kernels.Where(kernel => kernel.IsOfExperts).Sum(kernel => kernel.Profile.Calls);
        long products = kernels.Where(kernel => kernel.Kernel == "MatMul").Sum(kernel => kernel.Profile.Calls);
        long plans = kernels.Where(kernel => kernel.Kernel is "Assign" or "RouteForward").Sum(kernel => kernel.Profile.Calls);
        long copies = kernels.Where(kernel => kernel.Kernel is "Fill" or "Write" or "Read").Sum(kernel => kernel.Profile.Calls);
        double share = config.Moe.Experts == 0 ? 1 : (double)config.Moe.Active / config.Moe.Experts; // of experts, that is read
        return new DecodeBudget(
            kernels.Sum(kernel => kernel.Launches) + (isThere ? grouped : 0), products + (isThere ? 0 : grouped),
            copies + (isThere ? 0 : grouped + plans), kernels.Sum(kernel => kernel.Profile.Bytes * (kernel.IsOfExperts ? share : 1)),
            isThere ? 1.0 / Together : 1 + plans, isThere, card);
    }

    /// <summary>The kernels of the last token that a context has room for.</summary>
    private static CountedKernel[] Count(RunConfig config, bool isThere)
    {
        using ProfilingBackend backend = ProfilingBackend.DryRun(readsRowsByToken: (_, _, _, _, _) => isThere, joins: true);
        using Decoder model = Decoder.DryRun(backend, config, training: false);
        using DecoderCache cache = model.NewCache(whole: true);
        using Tape tape = backend.NewTape(recording: false);
        cache.Advance(config.Model.Context - 1);
        DecodeState state = new(tape.Ints(DecodeState.First + Together));
        cache.State = isThere ? state : null;
        Ints zero = tape.Ints(1), label = config.Moe.RoutesByLabel ? zero : default;
        TokenBatch token = new(zero, 1, 1) { Labels = label, LabelOfAll = 0, Position = isThere ? state.Position : default };
        backend.Counting = true;
        Tensor logits = model.Forward(tape, token, Pass.Inference, cache, lastOnly: true).Logits;
        if (isThere)
            logits.ChooseToken(default, default, new SamplingRules(0.8f, 0, 1f, 0f, 1f, 1), state);
        else
            _ = logits.ToArray();
        return [.. backend.Kernels.Select(CountedKernel.Of)];
    }
}
