// Why a mixture of experts helps, and what it needs for it: the synthetic classification of Chen et al. 2022, "Towards understanding
// mixture of experts in deep learning" (arXiv 2208.02813). Examples come in clusters, and what tells the class in one cluster misleads in
// the others. One network, linear or not, cannot get past that; experts that split the clusters among themselves can, and nothing tells
// them the clusters. README.md has the table and how to read it.
//
//     dotnet run -c Release --project examples/studies/understanding-moe [CONFIG]
using System.Globalization;
using TinyMoE;
using TinyMoE.Backends.Cpu;
using TinyMoE.Examples.UnderstandingMoe;

try
{
    Setting setting = Setting.Load(args.Length > 0 ? args[0] : Path.Combine(AppContext.BaseDirectory, "config.json"));
    using CpuBackend backend = new();
    Dictionary<ModelKind, List<Outcome>> outcomes = Enum.GetValues<ModelKind>().ToDictionary(kind => kind, _ => new List<Outcome>());
    foreach (int seed in setting.Seeds)
    {
        foreach ((ModelKind kind, List<Outcome> runs) in outcomes)
        {
            Outcome outcome = Experiment.Run(backend, kind, setting, seed);
            runs.Add(outcome);
            Console.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{Name(kind)}, seed {seed}: train {outcome.TrainAccuracy:P2}, test {outcome.TestAccuracy:P2}, dispatch entropy "
                    + $"{outcome.DispatchEntropy:F3}; {outcome.Steps} steps in {outcome.Seconds:F1} s"));
        }
    }

    WriteTable(outcomes);
    WriteDispatch("mixture of linear experts", setting.Seeds, outcomes[ModelKind.MixtureOfLinear]);
    WriteDispatch("mixture of nonlinear experts", setting.Seeds, outcomes[ModelKind.MixtureOfNonlinear]);
    return 0;
}
catch (TinyMoEException e)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}

static void WriteTable(Dictionary<ModelKind, List<Outcome>> outcomes)
{
    Console.WriteLine("| model | train accuracy, % | test accuracy, % | worst seed | dispatch entropy | steps | seconds |");
    Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|");
    foreach ((ModelKind kind, List<Outcome> runs) in outcomes)
    {
        bool mixture = runs[0].Dispatch.GetLength(1) > 1;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {Name(kind)} | {Spread(runs, run => 100 * run.TrainAccuracy, "F2")} | "
                + $"{Spread(runs, run => 100 * run.TestAccuracy, "F2")} | {100 * runs.Min(run => run.TestAccuracy):F2} | "
                + $"{(mixture ? Spread(runs, run => run.DispatchEntropy, "F3") : "")} | {runs.Average(run => run.Steps):F0} | "
                + $"{runs.Average(run => run.Seconds):F1} |"));
    }
}

static void WriteDispatch(string name, int[] seeds, List<Outcome> runs)
{
    for (int i = 0; i < runs.Count; i++)
    {
        Console.WriteLine();
        Console.WriteLine($"{name}, seed {seeds[i]}: test examples of each cluster at each expert");
        for (int cluster = 0; cluster < runs[i].Dispatch.GetLength(0); cluster++)
        {
            IEnumerable<string> counts = Enumerable.Range(0, runs[i].Dispatch.GetLength(1))
                .Select(e => $"{runs[i].Dispatch[cluster, e],5}");
            Console.WriteLine($"    cluster {cluster}: {string.Join(" ", counts)}");
        }
    }
}

// mean ± standard deviation (n − 1) over the seeds
static string Spread(List<Outcome> runs, Func<Outcome, double> of, string format)
{
    double mean = runs.Average(of), squares = runs.Sum(run => (of(run) - mean) * (of(run) - mean));
    string text = mean.ToString(format, CultureInfo.InvariantCulture);
    return runs.Count == 1 ? text : $"{text} ± {Math.Sqrt(squares / (runs.Count - 1)).ToString(format, CultureInfo.InvariantCulture)}";
}

static string Name(ModelKind kind) => kind switch
{
    ModelKind.SingleLinear => "single linear",
    ModelKind.SingleNonlinear => "single nonlinear",
    ModelKind.MixtureOfLinear => "mixture of linear experts",
    _ => "mixture of nonlinear experts",
};
