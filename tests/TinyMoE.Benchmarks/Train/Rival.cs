using TinyMoE.Configuration;

namespace TinyMoE.Benchmarks;

/// <summary>
/// The same model trained by PyTorch, in a process of its own, by a script of the folder rivals. PyTorch computes elementwise work on one
/// pool of threads and calls OpenBLAS, which has another; threads of both that wait by spinning take the cores from each other.
/// </summary>
/// <param name="Name">How it is called in the table.</param>
/// <param name="TorchThreads">Threads of PyTorch's own pool.</param>
/// <param name="BlasThreads">Threads of OpenBLAS.</param>
internal sealed record Rival(string Name, int TorchThreads, int BlasThreads)
{
    /// <summary>
    /// How the pools are set: both on all threads, which is what one gets by asking PyTorch for that many;
    /// or one of them has the threads and the other one thread.
    /// </summary>
    public static readonly string[] Names = ["both", "blas", "torch"];

    /// <summary>The rival of one of the <see cref="Names"/>.</summary>
    public static Rival Of(string name, int threads) => new(name, name == "blas" ? 1 : threads, name == "torch" ? 1 : threads);

    /// <summary>The first of the usual programs (or the one given) that can import torch; null where none can.</summary>
    public static string? FindPython(string? given)
    {
        string[] candidates = given is null ? ["python3", "/usr/bin/python3", "python"] : [given];
        return Array.Find(candidates, program => ChildProcess.Start(program, ["-c", "import torch"]) is { Code: 0 });
    }

    /// <summary>Trains a preset's model; the script's warm-up is ours.</summary>
    public TrainingFigures Train(string python, string preset, RunConfig config, int steps)
    {
        bool isMakeMoe = preset == "makemoe";
        (ModelConfig model, MoeConfig moe) = (config.Model, config.Moe);
        List<(string Name, double Value)> sizes =
        [
            ("vocabulary", model.Vocabulary), ("width", model.Width), ("layers", model.Layers), ("heads", config.Attention.Heads),
            ("context", model.Context),
            ("experts", moe.Experts), ("active", moe.Active), ("hidden", moe.HiddenOrDefault(model.Width)), ("batch", config.Train.Batch),
            ("learning-rate", config.Train.LearningRate), ("steps", steps), ("torch-threads", TorchThreads), ("blas-threads", BlasThreads),
            isMakeMoe ? ("dropout", model.Dropout) : ("kv-heads", config.Attention.KvHeadsOrAll),
        ];
        string script = Path.Combine(AppContext.BaseDirectory, "rivals", isMakeMoe ? "makemoe.py" : "moe.py");
        Dictionary<string, string?> environment = OpenBlas.Settings.ToDictionary(name => name, _ => (string?)null);
        string[] arguments = [script, .. sizes.SelectMany(size => new[] { $"--{size.Name}", $"{size.Value}" })];
        return Report.Read<TrainingFigures>(ChildProcess.Run(python, arguments, environment));
    }
}
