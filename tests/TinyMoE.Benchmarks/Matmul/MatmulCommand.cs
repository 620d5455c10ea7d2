using System.CommandLine;
using TinyMoE.Backends.Cpu;

namespace TinyMoE.Benchmarks;

/// <summary>
/// <c>matmul</c>: the products of the measured models against two peers in one run: the rate of the micro-kernel alone, which nothing built
/// on it can pass, and OpenBLAS where the system has it. The peers take turns and medians are compared, so that a busy machine slows both.
/// </summary>
internal sealed class MatmulCommand
{
    private static readonly string[] Models = ["bench", "bench-64-experts", "bench-narrow"];

    private readonly Option<string[]> shapes = new("--shapes")
    {
        HelpName = "TEXT ...",
        Description = "Only shapes whose name contains one of these, as in 'router', 'backward weight', 'bench-narrow', 'generation'.",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<int> rounds = Commands.Whole("--rounds", 7, 1, "Turns of each peer on a shape.");
    private readonly Option<int> threads = Commands.Threads();
    private readonly Option<int?> bits = VectorWidth.Option();
    private readonly Option<bool> json = Commands.Json();

    public static Command Create()
    {
        MatmulCommand matmul = new();
        Command command = new(
            "matmul", "Matrix products of a training step of the measured models beside OpenBLAS, on 1 and on all threads.")
        {
            matmul.shapes, matmul.rounds, matmul.threads, matmul.bits, matmul.json,
        };
        command.SetAction(matmul.Run);
        return command;
    }

    private sealed record Result(MatmulShape Shape, double Kernel, (double Ours, double? Peer) One, (double Ours, double? Peer) All)
    {
        public static double? Ratio((double Ours, double? Peer) rates) => rates.Ours / rates.Peer;
    }

    private void Run(ParseResult parsed)
    {
        Report report = new(parsed.GetValue(json));
        int all = parsed.GetValue(threads);
        MatmulShape[] training = [.. Chosen(parsed, MatmulShape.Training(Models))],
            generation = [.. Chosen(parsed, MatmulShape.Generation(Models[0]))];
        if (training.Length + generation.Length == 0)
            throw new TinyMoEException($"no shape is named like '{string.Join("', '", parsed.GetValue(shapes)!)}'; "
                + $"without --shapes all are listed");

        OpenBlas? peer = OpenBlas.Load();
        using CpuBackend one = new(threads: 1), many = new(all);
        MatmulTimer timer = new(peer, parsed.GetValue(rounds));
        report.Head(peer);
        report.Note(
            $"micro-kernel {one.Kernel.Rows}x{one.Kernel.Columns}, {MatmulTimer.MicroKernelRate(one.Kernel):F1} GFLOP/s on 1 thread");
        report.Note($"{"GFLOP/s, median of " + parsed.GetValue(rounds),-76} {"1 thread",8} {"kernel",6} {"OpenBLAS",8} {"ratio",6} | "
            + $"{$"{all} threads",9} {"OpenBLAS",8} {"ratio",6}");

        Result Measure(MatmulShape shape)
        {
            double kernel = MatmulTimer.MicroKernelRate(one.Kernel);
            Result result = new(shape, kernel, timer.Rates(one, shape, threads: 1), timer.Rates(many, shape, all));
            Print(report, result, all);
            return result;
        }

        Result[] results = [.. training.Select(Measure)];
        foreach (MatmulShape shape in generation)
            Measure(shape);
        Summarise(report, results, all);
    }

    private IEnumerable<MatmulShape> Chosen(ParseResult parsed, IEnumerable<MatmulShape> all) =>
        parsed.GetValue(shapes) is { Length: > 0 } wanted
        ? all.Where(shape => Array.Exists(wanted, text => shape.Name.Contains(text, StringComparison.OrdinalIgnoreCase)))
        : all;

    private static void Print(Report report, Result r, int threads)
    {
        (double? ratioOne, double? ratioAll) = (Result.Ratio(r.One), Result.Ratio(r.All));
        report.Row(
            $"{r.Shape.Name,-51} {r.Shape.Sizes,-24} {r.One.Ours,8:F1} {r.One.Ours / r.Kernel,6:P0} {Report.Cell(r.One.Peer, 8, 1)} "
                + $"{Report.Cell(ratioOne, 6, 2)} | {r.All.Ours,9:F1} {Report.Cell(r.All.Peer, 8, 1)} {Report.Cell(ratioAll, 6, 2)}",
            new
            {
                Kind = "matmul", r.Shape.Name, r.Shape.Rows, r.Shape.Columns, r.Shape.Inner, r.Shape.TransposeA, r.Shape.TransposeB,
                Experts = r.Shape.E, r.Kernel,
                One = r.One.Ours, OneOpenBlas = r.One.Peer, OneRatio = ratioOne, Threads = threads, All = r.All.Ours,
                AllOpenBlas = r.All.Peer, AllRatio = ratioAll,
            });
    }

    /// <summary>Over the shapes of training; those of generation are another matter.</summary>
    private static void Summarise(Report report, Result[] results, int threads)
    {
        (int, Func<Result, (double, double?)>)[] counts = [(1, r => r.One), (threads, r => r.All)];
        foreach ((int count, Func<Result, (double, double?)> rates) in counts.DistinctBy(pair => pair.Item1))
        {
            (MatmulShape Shape, double Ratio)[] ratios =
                [.. results.Where(r => Result.Ratio(rates(r)) is not null).Select(r => (r.Shape, Result.Ratio(rates(r))!.Value))];
            if (ratios.Length == 0)
                continue;
            double mean = Measuring.GeometricMean(ratios.Select(r => r.Ratio));
            (MatmulShape worst, double least) = ratios.MinBy(r => r.Ratio);
            report.Row(
                $"{count} thread{(count == 1 ? "" : "s")}: geometric mean of the ratio {mean:F2} over {ratios.Length} shapes; "
                    + $"worst {least:F2}, {worst.Name} {worst.Sizes}",
                new
                {
                    Kind = "matmul_mean", Threads = count, GeometricMean = mean, Shapes = ratios.Length, WorstRatio = least,
                    Worst = worst.Name,
                });
        }

        if (Array.Find(results, r => r.Shape.IsCube) is { } cube)
        {
            double one = cube.One.Ours / cube.Kernel, all = cube.All.Ours / (threads * cube.Kernel);
            report.Row(
                $"1024x1024x1024: {one:P0} of the micro-kernel's rate on 1 thread, {all:P0} of {threads} times that on {threads}",
                new { Kind = "matmul_kernel_share", One = one, Threads = threads, All = all });
        }
    }
}
