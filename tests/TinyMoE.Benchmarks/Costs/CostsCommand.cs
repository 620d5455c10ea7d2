using System.CommandLine;
using TinyMoE.Tests.Cuda;

namespace TinyMoE.Benchmarks;

/// <summary>
/// <c>costs</c>: what each CUDA kernel moves beside the least it could, counted by the emulated device. No card is needed,
/// and no clock is read.
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
        Option<bool> json = Commands.Json();
        const string Description =
            "Global traffic, coalescing and bank conflicts of every CUDA kernel at the sizes of a small layer, "
            + "counted by the emulated device.";
        Command command = new("costs", Description) { emulator, json };
        command.SetAction(parsed => Run(parsed.GetValue(emulator)!, new Report(parsed.GetValue(json))));
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
}
