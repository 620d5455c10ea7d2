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

    /// <summary>All modes in a table, what a step is made of, and what takes the time in each mode.</summary>
    public void Print(string name, RunConfig config, IReadOnlyList<BudgetMode> modes)
    {
        StepBudget[] budgets = [.. modes.Select(mode => StepBudget.Of(config, card, mode))];
        report.Note($"## {name} on {card.Name}: {budgets[0].Tokens:N0} tokens per step");
        report.Note("");
        report.Note("| mode | ms | tokens/s | device ms | host ms | launches | cuBLAS | waits |");
        report.Note("|---|---:|---:|---:|---:|---:|---:|---:|");
        foreach ((BudgetMode mode, StepBudget budget) in modes.Zip(budgets))
            PrintStep(name, mode, budget);
        report.Note("");
        report.Note($"| `{modes[0].Name}` | launches | cuBLAS | GFLOP | GB | ms | of it arithmetic | memory | launches |");
        report.Note("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (BudgetRow row in budgets[0].Rows)
            PrintCounts(row);
        report.Note("");
        report.Note($"| ms, and what bounds it | {string.Join(" | ", modes.Select(mode => $"`{mode.Name}`"))} |");
        report.Note($"|---|{string.Concat(modes.Select(_ => "---:|"))}");
        foreach (string kind in KernelModel.Kinds)
        {
            BudgetRow?[] rows = [.. budgets.Select(budget => budget.Rows.FirstOrDefault(row => row.Kind == kind))];
            if (Array.Exists(rows, row => row is not null))
                report.Note(
                    $"| {kind} | {string.Join(" | ", rows.Select(row => row is null ? "" : $"{row.Milliseconds:F2} {row.BoundBy}"))} |");
        }

        report.Note("");
        PrintDecode(name, config);
        report.Note("");
    }

    private void PrintDecode(string name, RunConfig config)
    {
        foreach ((string way, DecodeBudget budget) in new[]
        {
            ("logits read by the host, experts by cuBLAS", DecodeBudget.ByHost(config, card)),
            ("chosen on the card, one graph", DecodeBudget.OnCard(config, card)),
        })
        {
            report.Row(
                $"a token of generation, {way}: {budget.Microseconds:N0} us ({budget.Device:N0} of the card, {budget.Host:N0} of the host; "
                    + $"{budget.Launches} launches, {budget.Products} of cuBLAS, {budget.Copies} copies, {budget.Waits:G2} waits)",
                new { Kind = "decode", Shape = name, Card = card.Name, Way = way, budget.Microseconds, budget.Device, budget.Host });
        }
    }

    private void PrintStep(string name, BudgetMode mode, StepBudget budget)
    {
        long launches = budget.Rows.Sum(row => row.Launches), products = budget.Rows.Sum(row => row.Products);
        report.Row(
            $"| `{mode.Name}` | {budget.Milliseconds:F2} | {budget.TokensPerSecond:N0} | {budget.DeviceMilliseconds:F2} | "
                + $"{budget.HostMilliseconds:F2} | {launches:N0} | {products:N0} | {budget.Waits} |",
            new
            {
                Shape = name,
                Card = card.Name,
                Mode = mode.Name,
                budget.Milliseconds,
                budget.TokensPerSecond,
                budget.DeviceMilliseconds,
                budget.HostMilliseconds,
                Launches = launches,
                Products = products,
                budget.Waits,
                budget.Rows,
            });
    }

    private void PrintCounts(BudgetRow row) => report.Note(
        $"| {row.Kind} | {row.Launches:N0} | {row.Products:N0} | {row.Gigaflops:N1} | {row.Gigabytes:F2} | {row.Milliseconds:F2} | "
            + $"{row.Computing:F2} | {row.Moving:F2} | {row.Starting:F2} |");

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
