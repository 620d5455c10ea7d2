using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Ops;
using TinyMoE.Optim;
using TinyMoE.Tensors;
using TinyMoE.Tokenizers;

namespace TinyMoE.Benchmarks;

/// <summary>
/// A model in training on random text, step by step as the trainer does it: batch, forward, losses, backward, clip, AdamW.
/// </summary>
internal sealed class TrainingRun : IDisposable
{
    private const int TextLength = 100_000;
    private const int CharVocabulary = 65; // as many characters as the text that makeMoE trains on has

    private readonly Backend backend;
    private readonly Corpus corpus;
    private readonly AdamW optimizer;
    private readonly int[] inputs, targets;
    private int step;

    /// <summary>A model of <paramref name="config"/>, which knows its vocabulary.</summary>
    public TrainingRun(Backend backend, RunConfig config)
    {
        (this.backend, Config) = (backend, config);
        byte[] text = Text(config.Model.Vocabulary);
        Tokenizer tokenizer = Tokenizer.For(config.Data.Tokenizer, text);
        corpus = new Corpus(tokenizer, tokenizer.EncodeUtf8(text, "random text"), config.Data.Validation);
        Model = new Decoder(backend, corpus.Complete(config));
        optimizer = new AdamW(Model.Parameters, config.Train);
        (inputs, targets) = (new int[Tokens / config.Train.Accumulation], new int[Tokens / config.Train.Accumulation]);
    }

    /// <summary>What it was made from.</summary>
    public RunConfig Config { get; }

    /// <summary>The model.</summary>
    public Decoder Model { get; }

    /// <summary>Tokens per step.</summary>
    public int Tokens => Config.Train.Batch * Config.Model.Context;

    /// <summary>The loss of the last step.</summary>
    public float Loss { get; private set; }

    /// <summary>Useful operations of a step: three forward passes' worth, 6 for each active weight and token, and attention.</summary>
    public double Operations => OperationsOf(Config);

    /// <inheritdoc cref="Operations"/>
    public static double OperationsOf(RunConfig config) =>
        3.0 * ModelSize.Of(config).ForwardFlopsPerToken * config.Train.Batch * config.Model.Context;

    /// <summary>The configuration of a preset, with the vocabulary of random text.</summary>
    public static RunConfig ConfigOf(string preset)
    {
        RunConfig config = Presets.Get(preset);
        return config.WithVocabulary(TokenizerType.Of(config.Data.Tokenizer).Vocabulary is > 0 and int known ? known : CharVocabulary);
    }

    /// <summary>One step; returns its seconds.</summary>
    public double Step() => Measuring.Seconds(() =>
    {
        TrainConfig train = Config.Train;
        step++;
        Model.Parameters.ZeroGrad();
        for (int part = 0; part < train.Accumulation; part++)
        {
            int B = train.Batch / train.Accumulation;
            corpus.TrainBatch(train.Seed, step, first: part * B, Config.Model.Context, inputs, targets);
            using Tape tape = backend.NewTape();
            Pass pass = new(Training: true, train.Seed, step, part);
            DecoderOutput output = Model.Forward(tape, tape.Ints(inputs), B, Config.Model.Context, pass);
            Objective objective = Objective.Of(output, tape.Ints(targets));
            Loss = objective.Total.Item();
            tape.Backward(objective.Total.Scale(1f / train.Accumulation));
        }
        optimizer.Step(step, Schedule.LearningRate(train, step));
    });

    /// <summary>Steps until the code is compiled for speed and the memory is in place: at least three, and so many seconds.</summary>
    public void WarmUp(double seconds = 2)
    {
        double spent = 0;
        for (int i = 0; i < 3 || spent < seconds; i++)
            spent += Step();
    }

    public void Dispose() => Model.Dispose();

    /// <summary>Random bytes, or of the characters from '!' on as many as the vocabulary has, each at least once.</summary>
    private static byte[] Text(int vocabulary)
    {
        Random random = new(vocabulary);
        int first = vocabulary == 256 ? 0 : '!';
        return [.. Enumerable.Range(0, TextLength).Select(i => (byte)(first + (i < vocabulary ? i : random.Next(vocabulary))))];
    }
}
