using TinyMoE.Configuration;

namespace TinyMoE.Benchmarks;

/// <summary>
/// The same model trained by PyTorch, in a process of its own, by a script of the folder rivals. As most have it installed, PyTorch
/// computes elementwise work on one pool of threads and calls OpenBLAS, which has another; threads of both that wait by spinning take the
/// cores from each other. <see cref="AtItsBest"/> is PyTorch 2.6 with one pool for both, and all that was found to make it fast.
/// </summary>
/// <param name="Name">How it is called in the table.</param>
/// <param name="Python">What runs it.</param>
/// <param name="TorchThreads">Threads of PyTorch's own pool.</param>
/// <param name="BlasThreads">Threads of OpenBLAS.</param>
internal sealed record Rival(string Name, RivalPython Python, int TorchThreads, int BlasThreads)
{
    /// <summary>The rival that is not on a machine by itself: it needs a Debian 13 in a folder.</summary>
    public const string AtItsBest = "2.6";

    /// <summary>
    /// How the pools are set: both on all threads, which is what one gets by asking PyTorch for that many;
    /// or one of them has the threads and the other one thread. The last is <see cref="AtItsBest"/>.
    /// </summary>
    public static readonly string[] Names = ["both", "blas", "torch", AtItsBest];

    // What the scripts are told beyond sizes: their heads say what each is worth.
    private static readonly string[] BestMoe = ["--attention", "fused", "--projections", "joined", "--optimizer", "fused"],
        BestMakeMoe = ["--attention", "joined", "--dispatch", "sort", "--optimizer", "fused"];

    /// <summary>The rival of one of the <see cref="Names"/>.</summary>
    public static Rival Of(string name, RivalPython python, int threads) =>
        new(name, python, name == "blas" ? 1 : threads, name == "torch" ? 1 : threads);

    /// <summary>How its row begins.</summary>
    public string Label(TrainingFigures figures) =>
        Name == AtItsBest ? $"{figures.Framework} at its best" : $"{figures.Framework}, threads: {Name}";

    /// <summary>Trains a preset's model; the script's warm-up is ours.</summary>
    public TrainingFigures Train(string preset, RunConfig config, int steps)
    {
        bool isMakeMoe = preset == "makemoe", isBest = Name == AtItsBest;
        (ModelConfig model, MoeConfig moe) = (config.Model, config.Moe);
        List<(string Name, double Value)> sizes =
        [
            ("vocabulary", model.Vocabulary), ("width", model.Width), ("layers", model.Layers), ("heads", config.Attention.Heads),
            ("context", model.Context),
            ("experts", moe.Experts), ("active", moe.Active), ("hidden", moe.HiddenOrDefault(model.Width)), ("batch", config.Train.Batch),
            ("learning-rate", config.Train.LearningRate), ("steps", steps), ("torch-threads", TorchThreads), ("blas-threads", BlasThreads),
            isMakeMoe ? ("dropout", model.Dropout) : ("kv-heads", config.Attention.KvHeadsOrAll),
        ];
        return Python.Run(
            isMakeMoe ? "makemoe.py" : "moe.py",
            [.. sizes.SelectMany(size => new[] { $"--{size.Name}", $"{size.Value}" }), .. !isBest ? [] : isMakeMoe ? BestMakeMoe : BestMoe],
            isBest ? [("OMP_NUM_THREADS", $"{TorchThreads}")] : []);
    }
}
