using System.CommandLine;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;

namespace TinyMoE.Benchmarks;

/// <summary><c>scaling</c>: whether cost grows with the active work only. Two models take turns, step by step, in one process.</summary>
internal sealed class ScalingCommand
{
    private readonly Option<int> rounds = Commands.Whole("--rounds", 15, 1, "Steps of each model.");
    private readonly Option<int> threads = Commands.Threads();
    private readonly Option<bool> json = Commands.Json();

    public static Command Create()
    {
        ScalingCommand scaling = new();
        Command command = new(
            "scaling", "Training time against active work: mixture and dense, many experts and few, twice the tokens, layers, width.")
        {
            scaling.rounds, scaling.threads, scaling.json,
        };
        command.SetAction(scaling.Run);
        return command;
    }

    private void Run(ParseResult parsed)
    {
        Report report = new(parsed.GetValue(json));
        using CpuBackend backend = new(parsed.GetValue(threads));
        RunConfig bench = TrainingRun.ConfigOf("bench"), fine = TrainingRun.ConfigOf("bench-64-experts");
        ModelConfig model = bench.Model;
        RunConfig dense = bench with
        {
            Model = model with { Hidden = bench.Moe.Active * bench.Moe.HiddenOrDefault(model.Width) },
            Moe = bench.Moe with { Experts = 0, BalanceLoss = 0 },
        };
        RunConfig even =
            fine with { Moe = fine.Moe with { Hidden = bench.Moe.Active * bench.Moe.HiddenOrDefault(model.Width) / fine.Moe.Active } };
        RunConfig wide = bench with
        {
            Model = model with { Width = 2 * model.Width },
            Attention = bench.Attention with { Heads = 2 * bench.Attention.Heads, KvHeads = 2 * bench.Attention.KvHeadsOrAll },
        };

        (string Name, RunConfig Base, RunConfig Changed)[] cases =
        [
            ($"dense of the same active work -> {Mixture(bench)}", dense, bench),
            ($"{Mixture(bench)} -> {Mixture(even)}", bench, even),
            ($"{Mixture(bench)} -> {Mixture(fine)}", bench, fine),
            ("twice the batch", bench, bench with { Train = bench.Train with { Batch = 2 * bench.Train.Batch } }),
            ("twice the layers", bench, bench with { Model = model with { Layers = 2 * model.Layers } }),
            ("twice the width, heads of the same size", bench, wide),
        ];
        report.Note($"{backend.Name}; {parsed.GetValue(rounds)} steps of each in turns, medians");
        report.Note($"{"",-76} {"ms",8} {"ms",8} {"time",6} {"work",6} {"time/work",9}   tokens/s");
        foreach ((string name, RunConfig from, RunConfig to) in cases)
            Compare(report, backend, name, from, to, parsed.GetValue(rounds));
    }

    private static string Mixture(RunConfig config) =>
        $"{config.Moe.Experts} experts of {config.Moe.HiddenOrDefault(config.Model.Width)}, {config.Moe.Active} per token";

    private static void Compare(Report report, CpuBackend backend, string name, RunConfig from, RunConfig to, int rounds)
    {
        using TrainingRun a = new(backend, from), b = new(backend, to);
        a.WarmUp();
        b.WarmUp();
        (double A, double B)[] seconds = [.. Enumerable.Range(0, rounds).Select(_ => (a.Step(), b.Step()))];
        double before = Measuring.Median(seconds.Select(s => s.A)), after = Measuring.Median(seconds.Select(s => s.B));
        double time = Measuring.Median(seconds.Select(s => s.B / s.A)), work = b.Operations / a.Operations,
            speed = (double)b.Tokens / a.Tokens / time;
        report.Row(
            $"{name,-76} {1e3 * before,8:F1} {1e3 * after,8:F1} {time,6:F2} {work,6:F2} {time / work,9:F2}   {speed:F2} of those before",
            new
            {
                Kind = "scaling", Name = name, BaseSeconds = before, Seconds = after, TimeRatio = time, OperationsRatio = work,
                TimePerOperationRatio = time / work, TokensPerSecondRatio = speed,
            });
    }
}
