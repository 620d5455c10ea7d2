using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Moe;

/// <summary>
/// The small model with each router, by the router's name; expert choice
/// also among the tokens of one position, which is causal, and of the batch.
/// </summary>
internal static class RouterModels
{
    public const string ByPosition = "expert-choice by position";
    public const string ByBatch = "expert-choice by batch";

    /// <summary>Every router.</summary>
    public static IEnumerable<string> All => [.. RouterTraits.All.Select(router => router.Name), ByPosition, ByBatch];

    /// <summary>Those that never look ahead outside training.</summary>
    public static IEnumerable<string> Causal => All.Where(name => !Of(name).Moe.LooksAhead);

    /// <summary>Those whose choice for a token in inference depends on that token alone.</summary>
    public static IEnumerable<string> BatchInvariant => Causal.Where(name => name != ByPosition);

    /// <summary>A valid configuration of a router.</summary>
    public static RunConfig Of(string name)
    {
        RunConfig tiny = TestModels.Tiny;
        RouterTraits traits = RouterTraits.All.First(
            router => name == router.Name || name.StartsWith(router.Name + " ", StringComparison.Ordinal));
        MoeConfig moe = tiny.Moe with { Router = traits.Kind };
        moe = moe.Router switch
        {
            RouterKind.NoisyTopK => moe with { ImportanceLoss = 0.01f, LoadLoss = 0.01f },
            RouterKind.GShard => moe with { GshardLoss = 0.01f },
            RouterKind.ExpertChoice => moe with
            {
                AllowNonCausal = name != ByPosition,
                ChoiceGroup = name == ByPosition ? ChoiceGroup.Position : name == ByBatch ? ChoiceGroup.Batch : ChoiceGroup.Sequence,
            },
            RouterKind.Task => moe with { Tasks = 3 },
            RouterKind.Hierarchical => moe with { Groups = 2, ActiveGroups = 2 },
            RouterKind.DeepSeek => moe with { Groups = 2, BalanceLoss = 0, SequenceLoss = 1e-4f, SharedExperts = 1 },
            _ => moe,
        };
        RunConfig config = tiny with { Moe = moe };
        config.Validate();
        return config;
    }

    /// <summary>All that may act in training only: jitter, noise, masked logits, every dropout, a capacity.</summary>
    public static RunConfig WithEverythingOfTraining(this RunConfig config)
    {
        bool drops = RouterTraits.Of(config.Moe.Router).Drops;
        return config with
        {
            Model = config.Model with { Dropout = 0.3f },
            Moe = config.Moe with
            {
                Jitter = 0.1f,
                LogitNoise = 1,
                GateDropout = 0.3f,
                ExpertDropout = 0.3f,
                CapacityFactor = drops ? 0.5f : 0,
                MinCapacity = 1,
                Drop = DropOrder.Random,
            },
        };
    }

    public static RunConfig Without(this RunConfig config, bool balanceLosses) => balanceLosses
        ? config with
        {
            Moe = config.Moe with { BalanceLoss = 0, SequenceLoss = 0, GshardLoss = 0, ZLoss = 0, ImportanceLoss = 0, LoadLoss = 0 },
        }
        : config;

    /// <summary>A model with weights large enough to tell tokens apart.</summary>
    public static Decoder Spread(Backend backend, RunConfig config)
    {
        Decoder model = new(backend, config);
        backend.FillNormal(new RandomKey(4, RandomPurpose.Other, 0), model.Parameters.Weights.All.Length, model.Parameters.Weights.All);
        backend.Affine(model.Parameters.Weights.All, 0.3f, 0f, model.Parameters.Weights.All.Length, model.Parameters.Weights.All);
        return model;
    }

    /// <summary>
    /// B sequences as a batch; the label of a token follows from its id.
    /// <paramref name="counting"/>: of each sequence only so many tokens count.
    /// </summary>
    public static TokenBatch Tokens(Tape tape, int[] ids, int B, int? counting = null)
    {
        int T = ids.Length / B;
        return new TokenBatch(tape.Ints(ids), B, T)
        {
            Labels = tape.Ints([.. ids.Select(id => id % 3)]),
            Mask = counting is null ? null : new TokenMask(tape, [.. Enumerable.Range(0, ids.Length).Select(n => n % T < counting)], T),
        };
    }

    /// <summary>Logits (B·T, V) outside training.</summary>
    public static float[] Logits(Backend backend, Decoder model, int[] ids, int B)
    {
        using Tape tape = backend.NewTape(recording: false);
        return model.Forward(tape, Tokens(tape, ids, B), Pass.Inference).Logits.ToArray();
    }

    /// <summary>
    /// The gradient of the step's objective with the ids as targets, computed in so many parts; in the layout of the weights.
    /// </summary>
    public static float[] Gradients(Backend backend, Decoder model, int[] ids, int B, int parts)
    {
        model.Parameters.ZeroGrad();
        foreach ((int[] part, int i) in ids.Chunk(ids.Length / parts).Select((part, i) => (part, i)))
        {
            using Tape tape = backend.NewTape();
            DecoderOutput output = model.Forward(tape, Tokens(tape, part, B / parts), new Pass(Training: true, Seed: 1, Step: 1, i));
            tape.Backward(Objective.Of(output, tape.Ints(part)).Total.Scale(1f / parts));
        }

        return [.. model.Parameters.All.SelectMany(p => backend.Read(p.Grad))];
    }

    /// <summary>The values that a router keeps, by the end of their name.</summary>
    public static float[] State(this Decoder model, string name) =>
        [
            .. model.Parameters.States.Where(s => s.Name.EndsWith(name, StringComparison.Ordinal))
                .SelectMany(s => model.Parameters.Backend.Read(s.Data)),
        ];
}
