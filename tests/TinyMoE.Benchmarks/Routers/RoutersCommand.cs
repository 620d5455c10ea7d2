using System.CommandLine;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;

namespace TinyMoE.Benchmarks;

/// <summary>
/// <c>routers</c>: what each router costs. At equal active work, its training step beside top-k's, step by step in turns; and the share of
/// the step that routing takes.
/// </summary>
internal sealed class RoutersCommand
{
    private readonly Option<int> rounds = Commands.Whole("--rounds", 15, 1, "Steps of each model.");
    private readonly Option<int> threads = Commands.Threads();
    private readonly Option<string[]> routers = Commands.SomeOf(
        "--routers", "NAME", "Routers to measure",
        [.. RouterTraits.All.Where(router => router.Kind != RouterKind.Task).Select(router => router.Name)]);
    private readonly Option<bool> json = Commands.Json();

    public static Command Create()
    {
        RoutersCommand command = new();
        Command routers = new(
            "routers",
            "Training time of every router at equal active work, on the shape of preset bench, and the share that routing takes.")
        {
            command.rounds, command.threads, command.routers, command.json,
        };
        routers.SetAction(command.Run);
        return routers;
    }

    /// <summary>The bench model with another router: experts are as much wider or narrower as a token has fewer or more of them.</summary>
    private static RunConfig ConfigOf(RunConfig bench, RouterTraits router)
    {
        int experts = bench.Moe.Experts, active = Math.Min(router.Active ?? bench.Moe.Active, experts);
        return bench with
        {
            Moe = bench.Moe with
            {
                Router = router.Kind,
                Active = active,
                Hidden = bench.Moe.Active * bench.Moe.Hidden / active,
                Renormalize = active > 1,
                AllowNonCausal = true,
                Groups = router.Kind is RouterKind.Hierarchical ? 4 : 1,
                ActiveGroups = router.Kind is RouterKind.Hierarchical ? 2 : 1,
                BalanceLoss = router.Kind is RouterKind.TopK or RouterKind.Switch or RouterKind.Hierarchical ? 0.01f : 0,
                GshardLoss = router.Kind is RouterKind.GShard ? 0.01f : 0,
                SequenceLoss = router.Kind is RouterKind.DeepSeek ? 1e-4f : 0,
                ImportanceLoss = router.Kind is RouterKind.NoisyTopK ? 0.01f : 0,
                LoadLoss = router.Kind is RouterKind.NoisyTopK ? 0.01f : 0,
            },
        };
    }

    private void Run(ParseResult parsed)
    {
        Report report = new(parsed.GetValue(json));
        using CpuBackend backend = new(parsed.GetValue(threads));
        RunConfig bench = TrainingRun.ConfigOf("bench");
        report.Note($"{backend.Name}; {parsed.GetValue(rounds)} steps of each in turns, medians; "
            + "routing: all layers' routers alone, forward and backward");
        report.Note($"{"router",-16} {"step ms",8} {"of top-k",9} {"routing ms",11} {"share",7}");
        using TrainingRun reference = new(backend, bench);
        reference.WarmUp();
        foreach (string name in parsed.GetValue(routers)!)
        {
            RunConfig config = ConfigOf(bench, RouterTraits.All.Single(router => router.Name == name));
            using TrainingRun run = new(backend, config);
            run.WarmUp();
            (double Router, double TopK)[] seconds =
                [.. Enumerable.Range(0, parsed.GetValue(rounds)).Select(_ => (run.Step(), reference.Step()))];
            double step = Measuring.Median(seconds.Select(s => s.Router)), ratio = Measuring.Median(seconds.Select(s => s.Router / s.TopK));
            using RoutingRun routing = new(backend, config);
            IEnumerable<double> turns = Enumerable.Range(0, parsed.GetValue(rounds))
                .Select(_ => Measuring.SecondsPerCall(routing.Step, calls: 3));
            double alone = config.Model.Layers * Measuring.Median(turns);
            report.Row(
                $"{name,-16} {1e3 * step,8:F1} {ratio,9:F3} {1e3 * alone,11:F2} {100 * alone / step,6:F1} %",
                new
                {
                    Kind = "routers", Router = name, Seconds = step, OfTopK = ratio, RoutingSeconds = alone, RoutingShare = alone / step,
                });
        }
    }
}
