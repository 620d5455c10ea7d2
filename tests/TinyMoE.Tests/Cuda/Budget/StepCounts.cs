using System.Globalization;
using TinyMoE.Backends;
using TinyMoE.Backends.Profiling;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Optim;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Cuda.Budget;

/// <summary>One kernel of the contract at one set of sizes, as counted in a step.</summary>
/// <param name="Kernel">Its name.</param>
/// <param name="Sizes">Those that its profile names.</param>
/// <param name="Profile">Calls, operations and bytes.</param>
internal sealed record CountedKernel(string Kernel, int[] Sizes, KernelProfile Profile)
{
    /// <summary>How a card runs it.</summary>
    public KernelModel Model { get; } = KernelModel.Get(Kernel);

    /// <summary>Launches of our kernels, all calls together.</summary>
    public long Launches => Profile.Calls * Model.Launches(Sizes);

    /// <summary>Whether the kernel is products of experts.</summary>
    public bool IsOfExperts =>
        Kernel.StartsWith("GroupedMatMul", StringComparison.Ordinal) || Kernel.StartsWith("GatheredMatMul", StringComparison.Ordinal);

    /// <summary>Values per call that what follows a product reads and writes: none where nothing follows it.</summary>
    public double ValuesOfEpilogue
    {
        get
        {
            if (!IsOfExperts && Kernel != "MatMul")
                return 0;
            double area = IsOfExperts ? 1.0 * Sizes[0] * Sizes[1] : Sizes.SkipLast(1).Aggregate(1.0, (all, size) => all * size);
            double operations = (Profile.Flops - Profile.ProductFlops) / Profile.Calls / area; // of an element: a gate makes three
            return area * (operations == 0 ? 0 : operations >= 3 ? 3 : 2);
        }
    }

    /// <summary>Reads a profile, as "MatMul 2048x256x256 NT".</summary>
    public static CountedKernel Of(KernelProfile profile)
    {
        string[] words = profile.Name.Split(' ');
        int[] sizes = words.Length > 1 && char.IsAsciiDigit(words[1][0])
            ? [.. words[1].Split('x').Select(size => int.Parse(size, CultureInfo.InvariantCulture))]
            : [];
        return new CountedKernel(words[0], sizes, profile);
    }
}

/// <summary>What a training step asks of a backend, counted in a dry run: no arithmetic, no memory.</summary>
internal static class StepCounts
{
    /// <summary>
    /// The kernels of a step of <paramref name="config"/>, whose vocabulary is known, in this mode: products of our own read rows by token,
    /// and nobody dispatches. <paramref name="joins"/> says whether queries, keys and values are one product.
    /// </summary>
    public static IReadOnlyList<CountedKernel> Of(RunConfig config, BudgetMode mode, bool joins = true)
    {
        using ProfilingBackend backend = ProfilingBackend.DryRun(
            readsRowsByToken: (_, E, rows, inputs, outputs) => mode.IsOwn(E, rows, inputs, outputs), joins);
        using Decoder model = Decoder.DryRun(backend, config, training: true);
        AdamW optimizer = new(model.Parameters, config.Train);
        backend.Counting = false;
        Run(backend, model, optimizer, config, step: 1); // tables that are made once, and kept
        backend.Counting = true;
        Run(backend, model, optimizer, config, step: 2);
        return [.. backend.Kernels.Select(CountedKernel.Of)];
    }

    /// <summary>A step as the trainer does it: forward, losses, backward, clip, AdamW; tokens of many ids, labels that are 0.</summary>
    public static void Run(Backend backend, Decoder model, AdamW optimizer, RunConfig config, int step)
    {
        int parts = config.Train.Accumulation, B = config.Train.Batch / parts, T = config.Model.Context;
        int[] tokens = [.. Enumerable.Range(0, B * T).Select(i => i * 7 % config.Model.Vocabulary)], labels = new int[B * T];
        model.Parameters.ZeroGrad();
        for (int part = 0; part < parts; part++)
        {
            using Tape tape = backend.NewTape();
            TokenBatch batch = new(tape.Ints(tokens), B, T) { Labels = config.Moe.RoutesByLabel ? tape.Ints(labels) : default };
            DecoderOutput output = model.Forward(tape, batch, new Pass(Training: true, config.Train.Seed, step, part));
            Objective objective = Objective.Of(output, tape.Ints(tokens), config.Moe.LayerLosses);
            tape.Backward(objective.Total);
        }

        optimizer.Step(step, learningRate: 0f);
    }
}
