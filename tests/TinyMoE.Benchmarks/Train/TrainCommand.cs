using System.CommandLine;
using TinyMoE.Configuration;

namespace TinyMoE.Benchmarks;

/// <summary><c>train</c>: training steps beside PyTorch on the same model, each process on its own, in turns.</summary>
internal sealed class TrainCommand
{
    private const double MiB = 1 << 20;

    private readonly Option<string[]> presets =
        Commands.SomeOf("--preset", "NAME ...", "Models to train", ["bench", "bench-64-experts", "bench-narrow", "makemoe"]);
    private readonly Option<string[]> rivals = Commands.SomeOf(
        "--rivals", "NAME ...",
        "Which of PyTorch's two pools of threads has all threads, its own, OpenBLAS's or both; or, with --root, PyTorch 2.6 at its best",
        Rival.Names);
    private readonly Option<int> pairs =
        Commands.Whole("--pairs", 7, 1, "How often each has its turn; figures are medians over the turns.");
    private readonly Option<int> steps = Commands.Whole("--steps", 15, 1, "Steps that are timed in a turn, after two seconds of others.");
    private readonly Option<int> threads = Commands.Threads();
    private readonly Option<string?> python =
        new("--python") { HelpName = "PATH", Description = "A Python that has torch; if not said, python3 or /usr/bin/python3." };
    private readonly Option<string?> root = new("--root")
    {
        HelpName = "DIR",
        Description = "A folder with a Debian 13 for the rival 2.6; made where it is not there, which takes minutes, root and debootstrap.",
    };
    private readonly Option<int?> bits = VectorWidth.Option();
    private readonly Option<bool> json = Commands.Json();

    public static Command Create()
    {
        TrainCommand train = new();
        Command command = new("train", "A training step beside PyTorch on the same model: time, useful GFLOP/s, peak memory.")
        {
            train.presets, train.rivals, train.pairs, train.steps, train.threads, train.python, train.root, train.bits,
            train.json,
        };
        command.SetAction(train.Run);
        return command;
    }

    private void Run(ParseResult parsed)
    {
        Report report = new(parsed.GetValue(json));
        int count = parsed.GetValue(threads);
        Rival[] asked = [.. Rivals(parsed, report, count)];
        report.Head(OpenBlas.Load());
        foreach (string preset in parsed.GetValue(presets)!.Distinct())
            Compare(report, preset, asked, parsed.GetValue(pairs), parsed.GetValue(steps), count);
    }

    /// <summary>Those asked for that are on this machine; what is missing is said, or refused where it was asked for by name.</summary>
    private IEnumerable<Rival> Rivals(ParseResult parsed, Report report, int threads)
    {
        string[] names = [.. parsed.GetValue(rivals)!.Distinct()];
        RivalPython? own = names is [Rival.AtItsBest] ? null : RivalPython.Find(parsed.GetValue(python)), best = null;
        if (parsed.GetValue(root) is { } folder && names.Contains(Rival.AtItsBest))
            best = RivalPython.OfDebian13(folder, report);
        else if (parsed.GetResult(rivals) is { Implicit: false } && names.Contains(Rival.AtItsBest))
            throw new TinyMoEException($"the rival {Rival.AtItsBest} needs --root DIR: a folder for the Debian 13 that has it");
        if (own is null && names is not [Rival.AtItsBest])
            report.Note($"{parsed.GetValue(python) ?? "python3"} with torch is not on this machine: "
                + (best is null ? "ours alone" : $"{Rival.AtItsBest} alone"));
        foreach (string name in names)
        {
            if ((name == Rival.AtItsBest ? best : own) is { } found)
                yield return Rival.Of(name, found, threads);
        }
    }

    private static void Compare(Report report, string preset, Rival[] rivals, int pairs, int steps, int threads)
    {
        RunConfig config = TrainingRun.ConfigOf(preset);
        int tokens = config.Train.Batch * config.Model.Context;
        double operations = TrainingRun.OperationsOf(config);
        report.Note(
            $"{preset}: {tokens} tokens and {1e-9 * operations:F1} GFLOP per step; {pairs} turns of {steps} steps on {threads} threads");

        List<TrainingFigures> ours = [];
        List<TrainingFigures>[] theirs = [.. rivals.Select(_ => new List<TrainingFigures>())];
        for (int pair = 0; pair < pairs; pair++)
        {
            ours.Add(Report.Read<TrainingFigures>(ChildProcess.RunSelf(
                TrainingChild.Name, "--preset", preset, "--steps", $"{steps}", "--threads", $"{threads}")));
            for (int i = 0; i < rivals.Length; i++)
                theirs[i].Add(rivals[i].Train(preset, config, steps));
        }

        if (theirs.FirstOrDefault(figures => figures[0].Parameters != ours[0].Parameters) is { } other)
            throw new TinyMoEException(
                $"the rival trains another model than {preset}: {other[0].Parameters} parameters, not {ours[0].Parameters}");

        double Middle(IEnumerable<TrainingFigures> all, Func<TrainingFigures, double> figure) => Measuring.Median(all.Select(figure));
        double seconds = Middle(ours, f => f.Seconds), peak = Middle(ours, f => f.PeakBytes), rate = 1e-9 * operations / seconds;
        double share = Middle(ours, f => 1e-9 * operations / f.Seconds / f.MatmulRate);
        report.Row(
            $"  {"TinyMoE",-34} {1e3 * seconds,8:F1} ms {tokens / seconds,8:F0} tokens/s {rate,6:F1} GFLOP/s {peak / MiB,6:F0} MiB   "
                + $"{share:P0} of its own 1024³ product; {Middle(ours, f => f.AllocatedBytes) / 1024:F1} KiB managed and "
                + $"{Middle(ours, f => f.PoolMisses):0.##} pool misses per step",
            new
            {
                Kind = "train", Preset = preset, Threads = threads, Pairs = pairs, Steps = steps, Tokens = tokens, Operations = operations,
                ours[0].Parameters, ours[^1].Loss, Seconds = seconds,
                TokensPerSecond = tokens / seconds, Gflops = rate, MatmulShare = share, PeakBytes = peak,
                AllocatedBytes = Middle(ours, f => f.AllocatedBytes), PoolMisses = Middle(ours, f => f.PoolMisses),
            });
        for (int i = 0; i < rivals.Length; i++)
        {
            (Rival rival, List<TrainingFigures> figures) = (rivals[i], theirs[i]);
            double theirSeconds = Middle(figures, f => f.Seconds), theirPeak = Middle(figures, f => f.PeakBytes);
            bool isFastest = theirSeconds == theirs.Min(other => Middle(other, f => f.Seconds));
            double[] ratios = [.. figures.Zip(ours, (their, our) => their.Seconds / our.Seconds)];
            report.Row(
                $"  {rival.Label(figures[0]),-34} {1e3 * theirSeconds,8:F1} ms "
                    + $"{tokens / theirSeconds,8:F0} tokens/s {1e-9 * operations / theirSeconds,6:F1} GFLOP/s {theirPeak / MiB,6:F0} MiB   "
                    + $"ours is {Measuring.Median(ratios):F2} times as fast [{ratios.Min():F2}..{ratios.Max():F2}] in "
                    + $"{peak / theirPeak:F2} of the memory{(isFastest ? "; the fastest rival" : "")}; {figures[0].Kernels}",
                new
                {
                    Kind = "train_rival", Preset = preset, Rival = rival.Name, IsFastest = isFastest, figures[0].Framework,
                    figures[0].Kernels, rival.TorchThreads, rival.BlasThreads, figures[0].Parameters, figures[^1].Loss,
                    Seconds = theirSeconds,
                    TokensPerSecond = tokens / theirSeconds, PeakBytes = theirPeak, Ratio = Measuring.Median(ratios),
                    RatioLeast = ratios.Min(), RatioMost = ratios.Max(), MemoryShare = peak / theirPeak,
                });
        }
    }
}
