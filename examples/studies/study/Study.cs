using System.Globalization;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Models;
using TinyMoE.Train;

namespace TinyMoE.Examples;

/// <summary>Trains every variant of a study with every seed, one after another, and tells how each ended.</summary>
public static class Study
{
    /// <summary>
    /// Runs the study of the file that the arguments name, or of <c>config.json</c> beside the program, and writes its table; exit code 1
    /// with one line where that is impossible.
    /// </summary>
    public static int Run(string[] args, params (string Heading, Func<VariantOutcome, string> Cell)[] columns)
    {
        try
        {
            string path = args.Length > 0 ? args[0] : Path.Combine(AppContext.BaseDirectory, "config.json");
            WriteTable(Console.Out, Train(path, Console.Error), columns);
            return 0;
        }
        catch (TinyMoEException e)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
    }

    /// <summary>The outcomes of a study. Seeds take turns, so that a disturbance of the machine does not hit one variant alone.</summary>
    public static IReadOnlyList<VariantOutcome> Train(string path, TextWriter progress)
    {
        StudyConfig study = StudyConfig.Load(path);
        Corpus corpus = Corpus.Load(study.Variants[0].Config.Data);  // all variants read the same text
        RunConfig[] configs = [.. study.Variants.Select(variant => corpus.Complete(variant.Config))];
        foreach (RunConfig config in configs)
            config.Validate();
        List<RunOutcome>[] runs = [.. configs.Select(_ => new List<RunOutcome>())];
        using CpuBackend backend = new();
        foreach (ulong seed in study.Seeds)
        {
            for (int i = 0; i < configs.Length; i++)
            {
                RunOutcome outcome = Train(backend, configs[i] with { Train = configs[i].Train with { Seed = seed } }, corpus);
                runs[i].Add(outcome);
                string problem = outcome.Problem is null ? "" : $"; {outcome.Problem}";
                progress.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{study.Variants[i].Name}, seed {seed}: validation loss {outcome.Loss:F4}, "
                    + $"{outcome.TokensPerSecond:N0} tokens/s{problem}"));
            }
        }

        return [.. study.Variants.Select((variant, i) => new VariantOutcome(variant.Name, ModelSize.Of(configs[i]), runs[i]))];
    }

    private static RunOutcome Train(CpuBackend backend, RunConfig config, Corpus corpus)
    {
        string folder = Path.Combine(Path.GetTempPath(), $"tinymoe-study-{Environment.ProcessId}");
        Listener listener = new();
        string? problem = null;
        try
        {
            using Trainer trainer = new(backend, config, corpus, new RunFolder(folder), listener);
            trainer.Run();
        }
        catch (TinyMoEException e)
        {
            problem = e.Message;                                 // a run that diverges is a result too
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }

        double[] speeds = [.. listener.Steps.Select(step => step.TokensPerSecond).Order()];
        return new RunOutcome(
            problem is null ? listener.Loss : double.NaN,
            speeds.Length == 0 ? 0 : speeds[speeds.Length / 2],
            listener.Steps.Select(step => step.Dropped ?? 0f).DefaultIfEmpty().Average(),
            listener.Routing,
            problem);
    }

    /// <summary>A table as a README has it: one row per variant.</summary>
    public static void WriteTable(
        TextWriter output, IReadOnlyList<VariantOutcome> variants, (string Heading, Func<VariantOutcome, string> Cell)[] columns)
    {
        output.WriteLine($"| {string.Join(" | ", columns.Select(column => column.Heading))} |");
        output.WriteLine($"|{string.Join("|", columns.Select((_, i) => i == 0 ? "---" : "---:"))}|");
        foreach (VariantOutcome variant in variants)
            output.WriteLine($"| {string.Join(" | ", columns.Select(column => column.Cell(variant)))} |");
    }

    private sealed class Listener : ITrainingListener
    {
        public List<StepReport> Steps { get; } = [];

        public double Loss { get; private set; } = double.NaN;

        public IReadOnlyList<RoutingReport> Routing { get; private set; } = [];

        public void OnStart(TrainingStart start)
        {
        }

        public void OnStep(StepReport r) => Steps.Add(r);

        public void OnEvaluation(EvalReport eval, IReadOnlyList<RoutingReport> routing, bool best) =>
            (Loss, Routing) = (eval.Loss, routing);

        public void OnCheckpoint(int step, string path)
        {
        }
    }
}
