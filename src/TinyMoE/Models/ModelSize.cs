using TinyMoE.Backends;
using TinyMoE.Backends.Profiling;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Optim;
using TinyMoE.Tensors;

namespace TinyMoE.Models;

/// <summary>Parameters of one part of a model.</summary>
/// <param name="Part">The part.</param>
/// <param name="Total">All of them.</param>
/// <param name="Active">Those that one token meets.</param>
/// <param name="Bytes">Memory of all of them in generation.</param>
/// <param name="ActiveBytes">Memory of those that one token meets.</param>
public sealed record PartSize(ModelPart Part, long Total, long Active, long Bytes, long ActiveBytes)
{
    /// <summary>
    /// The part in words: embedding, attention, attention experts, router, experts, shared experts, feed-forward, norms, head.
    /// </summary>
    public string Name => Part switch
    {
        ModelPart.AttentionExperts => "attention experts",
        ModelPart.SharedExperts => "shared experts",
        ModelPart.FeedForward => "feed-forward",
        _ => Part.ToString().ToLowerInvariant(),
    };
}

/// <summary>What a configuration costs, before it is built.</summary>
/// <param name="Parts">Parameters by part.</param>
/// <param name="ForwardFlopsPerToken">
/// Multiplications and additions of one token's forward pass in products and attention, on average over a full context; training costs
/// three times that.
/// </param>
/// <param name="TrainingBytes">Memory that training needs: weights, gradients, two moments, activations of a micro-batch.</param>
/// <param name="GenerationBytes">Memory that generation needs: weights and the KV cache.</param>
public sealed record ModelSize(IReadOnlyList<PartSize> Parts, long ForwardFlopsPerToken, long TrainingBytes, long GenerationBytes)
{
    /// <summary>All parameters.</summary>
    public long TotalParameters => Parts.Sum(p => p.Total);

    /// <summary>Parameters that one token meets.</summary>
    public long ActiveParameters => Parts.Sum(p => p.Active);

    /// <summary>
    /// Works it out from the parts of the parameters and from dry runs of the model on a backend that counts: a forward pass, a training
    /// step, a cache for a full context. The vocabulary must be known. It takes no memory to speak of, whatever the size.
    /// </summary>
    public static ModelSize Of(RunConfig config) => Of(config, source: null);

    /// <summary>The same, where the weights come from <paramref name="source"/>, and are kept as it keeps them.</summary>
    internal static ModelSize Of(RunConfig config, IWeightSource? source) => Of(config, source, device: null);

    private static ModelSize Of(RunConfig config, IWeightSource? source, Backend? device)
    {
        PartSize[] parts = [.. Decoder.Plan(config).GroupBy(p => p.Part).Select(group => SizeOf(group.Key, group, config))];
        long narrower = source is null ? 0 : Decoder.Plan(config)
            .Sum(parameter => parameter.Precision.BytesOf(parameter.Count) - ParameterStore.KeptBytes(parameter, source));
        return new ModelSize(
            parts, FlopsPerToken(config), PeakOfTraining(config, device), BytesOfGeneration(config, wholeCache: true) - narrower);
    }

    /// <summary>Works it out, and makes sure first that the device can hold what training needs.</summary>
    /// <exception cref="TinyMoEException">It cannot.</exception>
    internal static ModelSize ToTrain(RunConfig config, Backend device)
    {
        const string Advice = "Use a smaller model, train.batch or model.context, or more train.accumulation.";
        long weights = Decoder.Plan(config).Sum(parameter => (long)parameter.Count);
        Require(device, 4 * sizeof(float) * weights, "Training this model needs", "at least ", Advice);
        ModelSize size = Of(config, source: null, device);
        Require(device, size.TrainingBytes, "Training this model needs", "", Advice);
        return size;
    }

    /// <summary>
    /// Makes sure that the device can hold what generation needs. What of <paramref name="source"/> is read where it lies in a file needs
    /// no memory: the system takes it back when it needs the room.
    /// </summary>
    /// <exception cref="TinyMoEException">It cannot.</exception>
    internal static void RequireRoomToGenerate(RunConfig config, Backend device, IWeightSource? source = null)
    {
        long bytes = BytesOfGeneration(config, wholeCache: false);
        foreach (Parameter parameter in source is null ? [] : Decoder.Plan(config))
        {
            bytes += ParameterStore.FrozenBytes(parameter, source!, device.ReadsHostMemory)
                - parameter.Precision.BytesOf(parameter.Count);
        }

        Require(device, bytes, "This model needs", "", "Use another machine, or a smaller model.context.");
    }

    private static void Require(Backend device, long bytes, string what, string least, string advice)
    {
        if (device.MemoryBytes is { } most && bytes > most)
            throw new TinyMoEException($"{what} {least}{Size.Of(bytes)} of memory, and the machine has {Size.Of(most)}. {advice}");
    }

    private static PartSize SizeOf(ModelPart part, IEnumerable<Parameter> parameters, RunConfig config)
    {
        (long active, long of) = part switch
        {
            ModelPart.Experts => (config.Moe.ActiveOfRouter, config.Moe.Experts),
            ModelPart.AttentionExperts => (config.Attention.Active, config.Attention.Experts),
            _ => (1, 1),
        };
        long total = 0, bytes = 0;
        foreach (Parameter parameter in parameters)
        {
            total += parameter.Count;
            bytes += parameter.Precision.BytesOf(parameter.Count);
        }

        return new PartSize(part, total, total * active / of, bytes, bytes * active / of);
    }

    /// <summary>
    /// Products and attention of a forward pass over one full context; whatever else a token costs is small beside them, and not counted.
    /// </summary>
    private static long FlopsPerToken(RunConfig config)
    {
        int T = config.Model.Context;
        using ProfilingBackend backend = ProfilingBackend.DryRun();
        using Decoder model = Decoder.DryRun(backend, config, training: false);
        using Tape tape = backend.NewTape(recording: false);
        model.Forward(tape, Tokens(config, tape, 1, T), Pass.Inference);
        return (long)(backend.Kernels.Sum(kernel => kernel.ProductFlops) / T);
    }

    /// <summary>
    /// Most bytes that the pool has out in a training step or an evaluation; what kernels need for themselves is not in it.
    /// </summary>
    private static long PeakOfTraining(RunConfig config, Backend? device)
    {
        int B = config.Train.Batch / config.Train.Accumulation, T = config.Model.Context;
        using ProfilingBackend backend = ProfilingBackend.DryRun(
            device is null ? null : device.ReadsRowsByToken, device?.JoinsProjections ?? false);
        using Decoder model = Decoder.DryRun(backend, config, training: true);
        AdamW optimizer = new(model.Parameters, config.Train);
        using (Tape tape = backend.NewTape())
        {
            DecoderOutput output = model.Forward(tape, Tokens(config, tape, B, T), new Pass(Training: true, config.Train.Seed, Step: 1));
            Objective objective = Objective.Of(output, tape.Ints(B * T), config.Moe.LayerLosses);
            tape.Backward(objective.Total);
        }

        optimizer.Step(1, learningRate: 0f);
        if (config.Train.Accumulation > 1) // an evaluation reads a whole batch at a time, so that its loss is that of a step in one part
        {
            using Tape tape = backend.NewTape(recording: false);
            DecoderOutput output = model.Forward(tape, Tokens(config, tape, config.Train.Batch, T), Pass.Inference);
            _ = Objective.Of(output, tape.Ints(config.Train.Batch * T), config.Moe.LayerLosses);
        }

        return backend.Pool.PeakBytes;
    }

    /// <summary>Bytes of a model without gradients and of its cache.</summary>
    private static long BytesOfGeneration(RunConfig config, bool wholeCache)
    {
        using ProfilingBackend backend = ProfilingBackend.DryRun();
        using Decoder model = Decoder.DryRun(backend, config, training: false);
        using DecoderCache cache = model.NewCache(wholeCache);
        return backend.Pool.LiveBytes;
    }

    private static TokenBatch Tokens(RunConfig config, Tape tape, int B, int T) =>
        new(tape.Ints(B * T), B, T) { Labels = config.Moe.RoutesByLabel ? tape.Ints(B * T) : default };
}
