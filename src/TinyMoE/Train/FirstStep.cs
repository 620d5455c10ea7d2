using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Optim;
using TinyMoE.Tensors;
using TinyMoE.Train.Objectives;

namespace TinyMoE.Train;

/// <summary>
/// Has what a step of training runs compiled while its text is read: a step of a small copy of the model on a thread of its own. Without it
/// the first step of a small model takes five times as long as the second.
/// </summary>
internal static class FirstStep
{
    private const int MostWeights = 1 << 22, Layers = 2, Tokens = 32, Symbols = 64;

    /// <summary>
    /// Begins; nothing of the training depends on it. null: the model is so large that compiling takes no time beside it.
    /// </summary>
    public static Task? Prepare(RunConfig config)
    {
        RunConfig small = Small(config);
        return Decoder.Plan(small).Sum(parameter => (long)parameter.Count) <= MostWeights ? Task.Run(() => Do(small)) : null;
    }

    /// <summary>The same kinds of layers, of the same width, few of them, and little text.</summary>
    internal static RunConfig Small(RunConfig config)
    {
        MoeConfig moe = config.Moe;
        return config with
        {
            Model = config.Model with
            {
                Layers = Math.Min(config.Model.Layers, Layers),
                Context = Math.Min(config.Model.Context, Tokens),
                Vocabulary = Symbols,
            },
            Moe = moe with
            {
                FirstDense = Math.Min(moe.FirstDense, 1),
                DenseLayers = new LayerList([.. moe.DenseLayers.Layers.Where(layer => layer < Math.Min(config.Model.Layers, Layers))]),
                Tasks = moe.RoutesByLabel ? 1 : 0,
            },
            Train = config.Train with { Batch = 1, Accumulation = 1 },
        };
    }

    private static void Do(RunConfig config)
    {
        try
        {
            using CpuBackend backend = new(threads: 1);
            using Decoder model = new(backend, config);
            AdamW optimizer = new(model.Parameters, config.Train);
            using Tape tape = backend.NewTape();
            int T = config.Model.Context;
            Ints ids = tape.Ints(new int[T]);
            TokenBatch tokens = new(ids, B: 1, T) { Labels = config.Moe.RoutesByLabel ? ids : default };
            Pass pass = new(Training: true, config.Train.Seed, Step: 1);
            ObjectiveResult result = new LanguageModelling().Forward(tape, model, new Batch(tokens, ids), pass);
            tape.Backward(result.Loss.Total);
            optimizer.Step(1, config.Train.LearningRate);
            model.EndStep();
        }
        catch (Exception e) when (e is TinyMoEException or ArgumentException or InvalidOperationException or OutOfMemoryException)
        {
            // What the real model cannot do either it says itself, and what only the small one cannot is compiled when it is needed.
        }
    }
}
