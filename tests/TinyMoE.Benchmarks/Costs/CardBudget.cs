using TinyMoE.Configuration;
using TinyMoE.Tests.Cuda.Budget;

namespace TinyMoE.Benchmarks;

/// <summary>Prints what a training step takes on a card, on paper: by mode, and by kind of kernel.</summary>
internal sealed class CardBudget(Report report, Card card)
{
    /// <summary>The shape that docs/cuda.md calls big, as changes of <c>bench</c>.</summary>
    private static readonly string[] Big =
    [
        "model.width=1024", "model.layers=8", "attention.heads=16", "attention.kv_heads=8", "model.context=1024", "moe.hidden=1024",
        "train.batch=16",
    ];

    /// <summary>The model that the command line names, or the two of docs/cuda.md.</summary>
    public static IEnumerable<(string Name, RunConfig Config)> Shapes(string? preset, string[] changes)
    {
        if (preset is not null || changes.Length > 0)
            return [(preset ?? "bench", Changed(preset ?? "bench", changes))];
        return [("bench", Changed("bench", [])), ("big", Changed("bench", Big))];
    }

    /// <summary>All modes in a table, then each of them by kind.</summary>
    public void Print(string name, RunConfig config, IReadOnlyList<BudgetMode> modes)
    {
        IReadOnlyList<CountedKernel> kernels = StepCounts.Of(config);
        StepBudget[] budgets = [.. modes.Select(mode => StepBudget.Of(kernels, config, card, mode))];
        report.Note($"## {name} on {card.Name}: {budgets[0].Tokens:N0} tokens per step");
        report.Note("");
        report.Note("| mode | ms | tokens/s | device ms | host ms | launches | cuBLAS | waits |");
        report.Note("|---|---:|---:|---:|---:|---:|---:|---:|");
        foreach ((BudgetMode mode, StepBudget budget) in modes.Zip(budgets))
        {
            long launches = budget.Rows.Sum(row => row.Launches), products = budget.Rows.Sum(row => row.Products);
            report.Row(
                $"| `{mode.Name}` | {budget.Milliseconds:F2} | {budget.TokensPerSecond:N0} | {budget.DeviceMilliseconds:F2} | "
                    + $"{budget.HostMilliseconds:F2} | {launches:N0} | {products:N0} | {budget.Waits} |",
                new { Kind = "step", Shape = name, Card = card.Name, Mode = mode.Name, budget.Milliseconds, budget.TokensPerSecond,
                    budget.DeviceMilliseconds, budget.HostMilliseconds, Launches = launches, Products = products, budget.Waits });
        }

        report.Note("");
        report.Note($"| | {string.Join(" | ", modes.Select(mode => $"`{mode.Name}`"))} |");
        report.Note($"|---|{string.Concat(modes.Select(_ => "---:|"))}");
        foreach (string kind in KernelModel.Kinds)
        {
            BudgetRow?[] rows = [.. budgets.Select(budget => budget.Rows.FirstOrDefault(row => row.Kind == kind))];
            if (Array.TrueForAll(rows, row => row is null))
                continue;
            report.Row(
                $"| {kind} | {string.Join(" | ", rows.Select(row => row is null ? "" : $"{row.Milliseconds:F2} {row.BoundBy}"))} |",
                new { Kind = "kernels", Shape = name, Card = card.Name, Rows = rows, Modes = modes.Select(mode => mode.Name) });
        }

        BudgetRow[] counted = [.. budgets[0].Rows];
        report.Note("");
        report.Note(
            $"counted in a dry run: {counted.Sum(row => row.Gigaflops):N1} GFLOP of products and attention, "
                + $"{counted.Sum(row => row.Gigabytes):F2} GB at the least in float32");
        report.Note("");
    }

    /// <summary>Where the figures of the model are from.</summary>
    public void PrintSources(IReadOnlyList<BudgetMode> modes)
    {
        report.Note($"{card.Name}: {card.Source}");
        foreach (BudgetMode mode in modes)
            report.Note($"`{mode.Name}`: {mode.Summary}");
        foreach (Arithmetic arithmetic in Enum.GetValues<Arithmetic>())
        {
            report.Note($"{arithmetic}: products {Of(Efficiency.Dense(arithmetic))}");
            report.Note($"{arithmetic}: experts in one call {Of(Efficiency.Together(arithmetic))}");
            report.Note($"{arithmetic}: experts by our own kernel {Of(Efficiency.Own(arithmetic))}");
            report.Note($"{arithmetic}: attention {Of(Efficiency.Attention(arithmetic))}");
        }

        static string Of(Efficiency e) => $"{e.Most:F2} of the best, a tile's start {e.Start} terms: {e.Source}";
    }

    private static RunConfig Changed(string preset, string[] changes)
    {
        RunConfig config = ConfigKeys.Apply(TrainingRun.ConfigOf(preset), [.. changes.Select(Change)]);
        config.Validate();
        return config;
    }

    private static ConfigChange Change(string text)
    {
        string[] parts = text.Split('=', 2);
        if (parts.Length < 2)
            throw new TinyMoEException($"--set needs key=value, as in model.width=256, not '{text}'");
        ConfigKey key = ConfigKeys.Find(parts[0]);
        return new ConfigChange(key, parts[0], key.Read(parts[1]));
    }
}
