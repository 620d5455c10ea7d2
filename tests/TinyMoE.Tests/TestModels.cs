using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.Tests;

/// <summary>Small models and texts that many tests share.</summary>
internal static class TestModels
{
    /// <summary>A mixture that trains in milliseconds per step.</summary>
    public static RunConfig Tiny { get; } = new()
    {
        Model = new ModelConfig { Width = 32, Layers = 2, Context = 16, Vocabulary = 29 },
        Attention = new AttentionConfig { Heads = 4, KvHeads = 2 },
        Moe = new MoeConfig { Experts = 4, Active = 2, Hidden = 24, BalanceLoss = 0.01f, ZLoss = 0.001f },
        Train = new TrainConfig { Batch = 4, Steps = 30, LearningRate = 3e-3f, Warmup = 5, EvalEvery = 10, EvalWindows = 8 },
    };

    /// <summary>
    /// The tiny mixture with all that draws random numbers: noisy routing, dropout, learned positions, layer norm, biases.
    /// </summary>
    public static RunConfig TinyNoisy { get; } = Tiny with
    {
        Model = Tiny.Model with
        {
            Norm = NormKind.Layer,
            Positions = PositionKind.Learned,
            FeedForward = FeedForwardKind.Relu,
            Biases = true,
            Dropout = 0.1f,
        },
        Attention = Tiny.Attention with { KvHeads = 0 },
        Moe = Tiny.Moe with { Router = RouterKind.NoisyTopK, BalanceLoss = 0, ZLoss = 0, ImportanceLoss = 0.01f, LoadLoss = 0.01f },
    };

    /// <summary>The noisy mixture with experts in attention, three a head, and expert dropout.</summary>
    public static RunConfig TinySwitchHead { get; } = TinyNoisy with
    {
        Model = TinyNoisy.Model with { Positions = PositionKind.Rope },
        Attention = Tiny.Attention with { Kind = AttentionKind.SwitchHead, Experts = 3, Active = 2, GateDropout = 0.1f },
    };

    /// <summary>
    /// The tiny mixture with all that attention can have: heads of a size
    /// of their own, a window in every other layer, a scale, norms, biases.
    /// </summary>
    public static RunConfig TinyHeads { get; } = Tiny with
    {
        Attention = new AttentionConfig
        {
            Heads = 6,
            KvHeads = 3,
            HeadSize = 10,
            Window = new PerLayer(5, 0),
            Scale = 0.4f,
            QueryKeyNorm = QueryKeyNorm.Whole,
            Biases = true,
            OutputBias = BiasChoice.True,
        },
    };

    /// <summary>The tiny mixture with latent attention, queries of a small vector and values of a size of their own.</summary>
    public static RunConfig TinyLatent { get; } = Tiny with
    {
        Attention = new AttentionConfig
        {
            Kind = AttentionKind.Latent,
            Heads = 4,
            HeadSize = 10,
            RopeSize = 4,
            ValueSize = 7,
            LatentRank = 9,
            QueryRank = 11,
            RopeInterleaved = true,
        },
    };

    /// <summary>
    /// The tiny mixture with what attention of other families has: sinks, clipping, windows, pairs of neighbours in part of an odd head,
    /// rotary positions scaled as <paramref name="scaling"/> says.
    /// </summary>
    public static RunConfig TinySinks(RopeScaling scaling) => Tiny with
    {
        Attention = new AttentionConfig
        {
            Heads = 6,
            KvHeads = 2,
            HeadSize = 11,
            Window = new PerLayer(0, 4),
            Clip = 1.5f,
            Sinks = true,
            RopeSize = 8,
            RopeInterleaved = true,
            RopeTheta = 20,
            RopeScaling = scaling,
            RopeFactor = scaling == RopeScaling.None ? 1 : 3,
            RopeOriginalContext = scaling is RopeScaling.None or RopeScaling.Linear ? 0 : 8,
        },
    };

    /// <summary>The tiny mixture with experts in bfloat16.</summary>
    public static RunConfig TinyBfloat16 { get; } = Tiny with { Moe = Tiny.Moe with { ExpertPrecision = ElementType.Bfloat16 } };

    /// <summary>
    /// "plain", "noisy", "switch-head", "heads", "latent", "bfloat16", "sinks", "linear", "dynamic", "llama3", "yarn", one of
    /// <see cref="FamilyModels"/>, or a preset; any of them with <see cref="AllInBfloat16"/> behind it.
    /// </summary>
    public static RunConfig Named(string name) => name switch
    {
        "plain" => Tiny,
        "noisy" => TinyNoisy,
        "switch-head" => TinySwitchHead,
        "heads" => TinyHeads,
        "latent" => TinyLatent,
        "bfloat16" => TinyBfloat16,
        "sinks" => TinySinks(RopeScaling.None),
        "linear" => TinySinks(RopeScaling.Linear),
        "dynamic" => TinySinks(RopeScaling.Dynamic),
        "llama3" => TinySinks(RopeScaling.Llama3),
        "yarn" => TinySinks(RopeScaling.Yarn),
        _ when name.EndsWith(AllInBfloat16, StringComparison.Ordinal) => Named(name[..^AllInBfloat16.Length]).InBfloat16(),
        _ => FamilyModels.All.GetValueOrDefault(name) ?? Presets.Get(name),
    };

    /// <summary>What the name of a model ends in that computes in bfloat16 all through.</summary>
    public const string AllInBfloat16 = ", all in bfloat16";

    /// <summary>The same with <c>train.precision=bfloat16</c>.</summary>
    public static RunConfig InBfloat16(this RunConfig config) =>
        config with { Train = config.Train with { Precision = TrainPrecision.Bfloat16 } };

    /// <summary>A text with structure to learn: counting words, again and again, at random places.</summary>
    public static Corpus Corpus(TokenizerKind kind = TokenizerKind.Char)
    {
        string[] words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
        Philox random = new(new RandomKey(3, RandomPurpose.Other, Step: 0));
        IEnumerable<int> numbers = Enumerable.Range(0, 800).SelectMany(i => Enumerable.Range(random.Below(7, i), 3));
        string text = string.Join(' ', numbers.Select(n => words[n]));
        byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(text);
        Tokenizer tokenizer = Tokenizer.For(kind, utf8);
        return new Corpus(tokenizer, tokenizer.EncodeUtf8(utf8, "the test text"), 0.1f);
    }

    /// <summary>The configuration with the corpus' vocabulary.</summary>
    public static RunConfig For(this RunConfig config, Corpus corpus) =>
        config with { Model = config.Model with { Vocabulary = corpus.Tokenizer.Vocabulary } };

    /// <summary>Ids drawn from the vocabulary.</summary>
    public static int[] Ids(int count, int vocabulary, int seed = 1)
    {
        Philox random = new(new RandomKey((ulong)seed, RandomPurpose.Other, Step: 1));
        return [.. Enumerable.Range(0, count).Select(i => random.Below(vocabulary, i))];
    }

    /// <summary>Logits (B·T, V) of a model outside training.</summary>
    public static float[] Logits(Backend backend, Decoder model, int[] ids, int B)
    {
        using Tape tape = backend.NewTape(recording: false);
        return model.Forward(tape, tape.Ints(ids), B, ids.Length / B, Pass.Inference).Logits.ToArray();
    }

    /// <summary>A model with weights large enough that its greedy text is not one letter.</summary>
    public static Decoder Spread(Backend backend, RunConfig config)
    {
        Decoder model = new(backend, config with // large biases would drown the text
        {
            Model = config.Model with { Biases = false },
            Attention = config.Attention with { Biases = false, OutputBias = BiasChoice.AsModel },
        });
        View<float> weights = model.Parameters.Weights.All;
        backend.FillNormal(new RandomKey(4, RandomPurpose.Other, 0), weights.Length, weights);
        backend.Affine(weights, 0.5f, 0f, weights.Length, weights);
        return model;
    }

    /// <summary>The values of a parameter, trained or frozen, widened.</summary>
    public static float[] Values(this ParameterStore store, Parameter parameter)
    {
        float[] values = new float[parameter.Count];
        store.Read(parameter, 0, values);
        return values;
    }

    /// <summary>The values of all parameters, in their order.</summary>
    public static float[] Values(this Decoder model) => [.. model.Parameters.All.SelectMany(model.Parameters.Values)];

    /// <summary>All weights, as they are in memory.</summary>
    public static float[] Weights(this Decoder model) => model.Parameters.Backend.Read(model.Parameters.Weights.All);
}

/// <summary>A listener that keeps what it hears.</summary>
internal sealed class RecordingListener : ITrainingListener
{
    public List<StepReport> Steps { get; } = [];

    public List<EvalReport> Evaluations { get; } = [];

    public List<RoutingReport> Routing { get; } = [];

    public List<WarningReport> Warnings { get; } = [];

    public List<NoteReport> Notes { get; } = [];

    public Action<StepReport>? Then { get; set; }

    public TrainingStart? Start { get; private set; }

    public void OnStart(TrainingStart start) => Start = start;

    public void OnStep(StepReport r)
    {
        Steps.Add(r);
        Then?.Invoke(r);
    }

    public void OnEvaluation(EvalReport eval, IReadOnlyList<RoutingReport> routing, bool best)
    {
        Evaluations.Add(eval);
        Routing.AddRange(routing);
    }

    public void OnWarning(WarningReport warning) => Warnings.Add(warning);

    public void OnNote(NoteReport note) => Notes.Add(note);

    public void OnCheckpoint(int step, string path)
    {
    }
}
