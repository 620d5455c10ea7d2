// Why a mixture of experts helps, and what it needs for it: the synthetic classification of Chen et al. 2022, "Towards understanding mixture of experts in deep learning"
// (arXiv 2208.02813). Examples come in clusters, and what tells the class in one cluster misleads in the others. One network, linear or not, cannot get past that; experts that
// split the clusters among themselves can, and nothing tells them the clusters. README.md has the table and how to read it.
//
//     dotnet run -c Release --project examples/understanding-moe [CONFIG]
using TinyMoE.Backends.Cpu;
using TinyMoE.Examples.UnderstandingMoe;

Setting setting = Setting.Load(args.Length > 0 ? args[0] : Path.Combine(AppContext.BaseDirectory, "config.json"));
using CpuBackend backend = new();
Console.WriteLine($"{backend.Name}; {setting.Data.Examples:N0} examples to learn, as many to test");

Dictionary<ModelKind, Outcome[]> outcomes = [];
foreach (ModelKind kind in Enum.GetValues<ModelKind>())
{
    outcomes[kind] = new Outcome[setting.Seeds];
    for (int seed = 1; seed <= setting.Seeds; seed++)
    {
        Outcome outcome = outcomes[kind][seed - 1] = Experiment.Run(backend, kind, setting, seed);
        Console.WriteLine(
            $"{Name(kind)}, seed {seed}: train {outcome.TrainAccuracy:P2}, test {outcome.TestAccuracy:P2}, dispatch entropy {outcome.DispatchEntropy:F3}, {outcome.Steps} steps in {outcome.Seconds:F1} s");
    }
}

Console.WriteLine();
Console.WriteLine("| model | train accuracy | test accuracy | worst test | dispatch entropy | steps | seconds |");
Console.WriteLine("|---|---|---|---|---|---|---|");
foreach ((ModelKind kind, Outcome[] runs) in outcomes)
{
    string entropy = runs[0].Dispatch.GetLength(1) == 1 ? "–" : Spread(runs, run => run.DispatchEntropy, "F3");
    Console.WriteLine(
        $"| {Name(kind)} | {Spread(runs, run => 100 * run.TrainAccuracy, "F2")} | {Spread(runs, run => 100 * run.TestAccuracy, "F2")} | {100 * runs.Min(run => run.TestAccuracy):F2} | {entropy} | {runs.Average(run => run.Steps):F0} | {runs.Average(run => run.Seconds):F1} |");
}

foreach (ModelKind kind in new[] { ModelKind.MixtureOfLinear, ModelKind.MixtureOfNonlinear })
{
    Console.WriteLine();
    Console.WriteLine($"{Name(kind)}, seed 1: test examples of each cluster at each expert");
    int[,] dispatch = outcomes[kind][0].Dispatch;
    for (int cluster = 0; cluster < dispatch.GetLength(0); cluster++)
        Console.WriteLine($"    cluster {cluster}: {string.Join(" ", Enumerable.Range(0, dispatch.GetLength(1)).Select(e => $"{dispatch[cluster, e],5}"))}");
}

static string Name(ModelKind kind) => kind switch
{
    ModelKind.SingleLinear => "single linear",
    ModelKind.SingleNonlinear => "single nonlinear",
    ModelKind.MixtureOfLinear => "mixture of linear experts",
    _ => "mixture of nonlinear experts",
};

// mean ± deviation over the seeds
static string Spread(Outcome[] runs, Func<Outcome, double> of, string format)
{
    double mean = runs.Average(of), deviation = Math.Sqrt(runs.Sum(run => Math.Pow(of(run) - mean, 2)) / Math.Max(1, runs.Length - 1));
    return $"{mean.ToString(format)} ± {deviation.ToString(format)}";
}
