using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using TinyMoE.App;
using TinyMoE.Cli.Output;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe doctor</c>: tests the devices and prints the findings.</summary>
internal sealed class DoctorCommand
{
    private const string Examples = """
        tinymoe doctor         is there an NVIDIA card, and does it compute what the processor computes?
        """;

    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        DoctorCommand doctor = new();
        CommandWithExamples command = new(
            "doctor", "Show what of CUDA is there, and try every kernel on every card beside the processor.", Examples)
        {
            doctor.json,
        };
        command.SetAction(doctor.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        DoctorReport report = Doctor.Examine();
        TextWriter output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
            output.WriteLine(ToJson(report));
        else
            Write(Consoles.For(output), report);
        return report.Failed ? Cli.Failed : Cli.Done;
    }

    private static void Write(IAnsiConsole console, DoctorReport report)
    {
        console.WriteLine($"bindings: {report.Bindings}");
        console.WriteLine(report.Driver is null ? "driver: none" : $"driver: CUDA {report.Driver}");
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
        string blas = device.Blas is null ? "no cuBLAS" : $"cuBLAS {device.Blas}";
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{device.Device}: compute capability {device.Device.ComputeCapability}, {blas}"));
        if (device.Families.Count > 0)
        {
            Table families = NewTable("kernels of", "cases", "largest error").AddColumn("");
            foreach (FamilyReport family in device.Families)
            {
                string verdictOfFamily = family.Wrong.Count == 0 ? "well" : Markup.Escape($"WRONG: {string.Join(", ", family.Wrong)}");
                families.AddRow(family.Family, Whole(family.Cases), Error(family.LargestError), verdictOfFamily);
            }

            console.Write(families);
        }

        string verdict = device.Failure is not null ? $"FAILED: {device.Failure}"
            : device.Failed ? "FAILED: it does not compute what the processor computes"
            : "it computes what the processor computes";
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{verdict} ({device.Time.TotalSeconds:F1} s)"));
    }

    private static Table NewTable(string first, params string[] numbers)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn(first);
        foreach (string heading in numbers)
            table.AddColumn(new TableColumn(heading).RightAligned());
        return table;
    }

    private static string ToJson(DoctorReport report) => new JsonObject
    {
        ["kind"] = "doctor",
        ["failed"] = report.Failed,
        ["failure"] = report.Failure,
        ["bindings"] = report.Bindings,
        ["driver"] = report.Driver?.ToString(),
        ["modules"] = Array(report.Modules, module => new JsonObject
        {
            ["file"] = module.File,
            ["kernels"] = module.Kernels,
            ["source_sha256"] = module.SourceHash,
        }),
        ["devices"] = Array(report.Devices, device => new JsonObject
        {
            ["device"] = string.Create(CultureInfo.InvariantCulture, $"cuda:{device.Device.Index}"),
            ["name"] = device.Device.Name,
            ["compute_capability"] = device.Device.ComputeCapability.ToString(),
            ["memory_bytes"] = device.Device.MemoryBytes,
            ["cublas"] = device.Blas?.ToString(),
            ["failed"] = device.Failed,
            ["failure"] = device.Failure,
            ["seconds"] = device.Time.TotalSeconds,
            ["families"] = Array(device.Families, family => new JsonObject
            {
                ["family"] = family.Family,
                ["cases"] = family.Cases,
                // JSON has no infinity, which stands for a whole number that differs
                ["largest_error"] = double.IsFinite(family.LargestError) ? family.LargestError : null,
                ["wrong"] = Array(family.Wrong, name => JsonValue.Create(name)),
            }),
        }),
    }.ToJsonString(JsonSerializerOptions.Default);

    private static JsonArray Array<T>(IEnumerable<T> items, Func<T, JsonNode?> node) => new([.. items.Select(node)]);

    private static string Whole(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Error(double error) => error == 0 ? "0"
        : double.IsFinite(error) ? error.ToString("0.0e-0", CultureInfo.InvariantCulture) : "a whole number differs";
}
