using System.CommandLine;
using TinyMoE.Configuration;
using TinyMoE.Tests.Cuda;
using TinyMoE.Tests.Cuda.Budget;

namespace TinyMoE.Benchmarks;

/// <summary>
/// <c>costs</c>: what each CUDA kernel moves beside the least it could, counted by the emulated device; or, with <c>--card</c>, what a
/// training step takes on a card, on paper, from what a dry run counts. No card is needed, and no clock is read.
/// </summary>
internal static class CostsCommand
{
    public static Command Create()
    {
        Option<string> emulator = new("--emulator")
        {
            HelpName = "FOLDER",
            Description = "Where the emulated libcuda and libcublas are: what 'cmake --build build --target emulator' makes.",
            DefaultValueFactory = _ => Path.Combine("build", "emulator"),
        };
        Option<string?> card = new("--card")
        {
            HelpName = "NAME",
            Description = $"Instead, a training step on paper on {string.Join(", ", Card.All.Select(card => card.Name))}.",
        };
        Option<string[]> modes = new("--mode")
        {
            HelpName = "NAME ...",
            Description = $"With --card: {string.Join(", ", BudgetMode.All.Select(mode => mode.Name))}; all if not said.",
            AllowMultipleArgumentsPerToken = true,
        };
        Option<string?> preset = new("--preset")
        {
            HelpName = "NAME",
            Description = "With --card: the model; bench and a big one if not said.",
        };
        Option<string[]> set = new("--set")
        {
            HelpName = "KEY=VALUE ...",
            Description = "With --card: changes of the model, as in --set model.width=512.",
            AllowMultipleArgumentsPerToken = true,
        };
        Option<bool> json = Commands.Json();
        const string Description =
            "Global traffic, coalescing and bank conflicts of every CUDA kernel at the sizes of a small layer, "
            + "counted by the emulated device; or the time of a training step on a card, on paper.";
        Command command = new("costs", Description) { emulator, card, modes, preset, set, json };
        command.SetAction(parsed =>
        {
            Report report = new(parsed.GetValue(json));
            if (parsed.GetValue(card) is not { } name)
                Run(parsed.GetValue(emulator)!, report);
            else
                RunOnPaper(Card.Get(name), parsed.GetValue(modes) ?? [], parsed.GetValue(preset), parsed.GetValue(set) ?? [], report);
        });
        return command;
    }

    private static void Run(string folder, Report report)
    {
        string full = Path.GetFullPath(folder);
        if (!File.Exists(Emulator.DriverPath(full)))
            throw new TinyMoEException(
                $"{folder} holds no emulated driver; run: cmake -S . -B build && cmake --build build --target emulator");
        Emulator.ChooseLibraries(full);

        report.Note(
            "Distinct bytes of each warp instruction in global memory, beside each input byte read once "
            + "and each output byte written once.");
        report.Note("");
        report.Note("| kernel | worst case | bytes | of the least | at most | sectors of the fewest | bank conflicts | instructions |");
        report.Note("|---|---|---:|---:|---:|---:|---:|---:|");
        foreach (KernelCost cost in KernelCosts.Measure().GroupBy(cost => cost.Kernel).Select(cases => cases.First()))
        {
            report.Row(
                $"| `{cost.Kernel}` | {cost.Case} | {cost.Bytes:N0} | {cost.Traffic:F2} | {KernelCosts.MostTrafficOf(cost.Kernel):F2} | "
                    + $"{cost.Coalescing:F2} | {cost.BankConflicts:N0} | {cost.ThreadInstructions:N0} |",
                cost);
        }

        foreach ((string kernel, (double bound, string why)) in KernelCosts.OwnBounds)
            report.Note($"`{kernel}`, {bound:F2}: {why}");
    }

    private static void RunOnPaper(Card card, string[] modes, string? preset, string[] changes, Report report)
    {
        BudgetMode[] asked = modes.Length == 0 ? [.. BudgetMode.All] : [.. modes.Select(BudgetMode.Get)];
        CardBudget budget = new(report, card);
        foreach ((string name, RunConfig config) in CardBudget.Shapes(preset, changes))
            budget.Print(name, config, asked);
        budget.PrintSources(asked);
    }
}
