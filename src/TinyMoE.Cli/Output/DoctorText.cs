using System.Globalization;
using Spectre.Console;
using TinyMoE.App;
using TinyMoE.Cuda;

namespace TinyMoE.Cli.Output;

/// <summary>The findings of <c>tinymoe doctor</c> for a reader.</summary>
internal static class DoctorText
{
    /// <summary>Writes the whole report.</summary>
    public static void Write(IAnsiConsole console, DoctorReport report)
    {
        console.WriteLine($"bindings: {report.Bindings}");
        console.WriteLine(report.Driver is null ? "driver: none" : $"driver: CUDA {report.Driver}{In(report.DriverPath)}");
        foreach (CudaVariable variable in report.Environment)
            console.WriteLine($"{variable.Name}={Printable.OnOneLine(variable.Value)}: {variable.Effect}");
        Table modules = NewTable("module", "kernels").AddColumn("hash of its source");
        foreach (PtxModule module in report.Modules)
            modules.AddRow(module.File, Whole(module.Kernels), module.SourceHash[..16]);
        console.Write(modules);
        foreach (DeviceReport device in report.Devices)
            Write(console, device);
        if (report.Failure is not null)
            console.WriteLine(report.Failed ? $"FAILED: {report.Failure}" : $"no device to test. {report.Failure}");
    }

    private static void Write(IAnsiConsole console, DeviceReport device)
    {
        string blas = device.Blas is null ? "no cuBLAS" : $"cuBLAS {device.Blas}{In(device.BlasPath)}";
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{device.Device}: compute capability {device.Device.ComputeCapability}, {blas}"));
        if (device.Modules.Count > 0)
            WriteCompiled(console, device);
        if (device.Families.Count > 0)
            WriteFamilies(console, device);
        foreach (string note in device.Notes)
            console.WriteLine(Words.Note(note));
        string verdict = device.Failure is not null ? $"FAILED: {device.Failure}"
            : device.Failed ? "FAILED: it does not compute what the processor computes"
            : "it computes what the processor computes";
        console.WriteLine($"{verdict} ({Seconds(device.Time)})");
        if (device.Tuning is { } tuning)
            Write(console, tuning);
    }

    /// <summary>TFLOP/s of each way to multiply for experts, the fastest, and what auto takes.</summary>
    private static void Write(IAnsiConsole console, TuningReport tuning)
    {
        GroupedProducts[] ways = [GroupedProducts.Own, GroupedProducts.Cublas, GroupedProducts.Loop];
        Table table = NewTable("products of experts", "experts", "rows", "from", "to");
        foreach (GroupedProducts way in ways)
            table.AddColumn(new TableColumn(Word(way)).RightAligned());
        table.AddColumn("fastest").AddColumn("auto");
        foreach (TunedProduct product in tuning.Products)
        {
            TunedShape shape = product.Shape;
            table.AddRow(
            [
                $"{Word(product.Precision)}, {Name(product.Product)}", Whole(shape.Experts), Whole(shape.Rows), Whole(shape.Inputs),
                Whole(shape.Outputs), .. ways.Select(way => Teraflops(product.TeraflopsOf(way))), Word(product.Fastest),
                Word(product.Auto),
            ]);
        }

        console.Write(table);
        console.WriteLine("TFLOP/s of the products alone, without the host's wait for a router that cuBLAS costs and a graph spares");
        foreach (TunedLimit limit in tuning.Limits)
            console.WriteLine(limit.ToString());
        foreach (string note in tuning.Notes)
            console.WriteLine(Words.Note(note));
        console.WriteLine($"measured in {Seconds(tuning.Time)}");
    }

    private static string Name(ExpertProduct product) => product switch
    {
        ExpertProduct.Forward => "forward",
        ExpertProduct.InputGradient => "gradient of rows",
        _ => "gradient of weights",
    };

    private static string Teraflops(double? value) => value?.ToString("0.0", CultureInfo.InvariantCulture) ?? "";

    /// <summary>What the driver made of each module: its kernel with the most registers, and the one with the most local memory.</summary>
    private static void WriteCompiled(IAnsiConsole console, DeviceReport device)
    {
        string cold = device.ColdCompilation is { } time ? $", {Seconds(time)} with nothing kept" : "";
        console.WriteLine($"the driver compiled the kernels, or had kept them, in {Seconds(device.Compilation)}{cold}");
        Table table = NewTable("module", "ms", "registers").AddColumn("of").AddColumn(new TableColumn("local bytes").RightAligned())
            .AddColumn("of");
        foreach (CompiledModule module in device.Modules)
        {
            KernelReport[] kernels = [.. device.Kernels.Where(kernel => kernel.File == module.File)];
            if (kernels.Length == 0)
                continue;
            KernelReport registers = kernels.MaxBy(kernel => kernel.Registers)!, local = kernels.MaxBy(kernel => kernel.LocalBytes)!;
            table.AddRow(
                module.File, Whole((int)module.Time.TotalMilliseconds), Whole(registers.Registers), registers.Name,
                Whole(local.LocalBytes), local.LocalBytes > 0 ? local.Name : "");
        }

        console.Write(table);
    }

    /// <summary>The largest error of each family in each mode.</summary>
    private static void WriteFamilies(IAnsiConsole console, DeviceReport device)
    {
        TensorCores[] modes = [.. device.Families.Select(family => family.TensorCores).Distinct()];
        Table table = NewTable("kernels of", "cases");
        foreach (TensorCores mode in modes)
            table.AddColumn(new TableColumn(mode == TensorCores.Off ? "largest error" : Word(mode)).RightAligned());
        table.AddColumn("");
        foreach (IGrouping<(string Family, GroupedProducts Grouped), FamilyReport> family in
            device.Families.GroupBy(family => (family.Family, family.Grouped)).OrderBy(family => First(device, family.Key.Family)))
        {
            string name = family.Key.Grouped == default ? family.Key.Family : $"{family.Key.Family}, {Word(family.Key.Grouped)}";
            string[] wrong = [.. family.SelectMany(mode => mode.Wrong).Distinct()];
            IEnumerable<string> errors = modes.Select(
                mode => family.FirstOrDefault(report => report.TensorCores == mode) is { } report ? Error(report.LargestError) : "");
            table.AddRow(
            [
                name, Whole(family.Sum(mode => mode.Cases)), .. errors,
                wrong.Length == 0 ? "well" : Markup.Escape($"WRONG: {string.Join(", ", wrong)}"),
            ]);
        }

        console.Write(table);
    }

    /// <summary>Where a family was first tried, so that its other ways to multiply stand below it.</summary>
    private static int First(DeviceReport device, string family) =>
        device.Families.TakeWhile(report => report.Family != family).Count();

    private static Table NewTable(string first, params string[] numbers)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn(first);
        foreach (string heading in numbers)
            table.AddColumn(new TableColumn(heading).RightAligned());
        return table;
    }

    private static string In(string? path) => path is null ? "" : $" ({path})";

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:F1} s");

    private static string Whole(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Error(double error) => error == 0 ? "0"
        : double.IsFinite(error) ? error.ToString("0.0e-0", CultureInfo.InvariantCulture) : "a whole number differs";
}
