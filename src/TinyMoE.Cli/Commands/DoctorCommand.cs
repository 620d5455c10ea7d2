using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.App;
using TinyMoE.Cli.Output;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe doctor</c>: tests the devices and prints the findings.</summary>
internal sealed class DoctorCommand
{
    private const string Examples = """
        tinymoe doctor         is there an NVIDIA card, and does it compute what the processor computes?
        tinymoe doctor --cold  and how long does its driver compile the kernels?
        tinymoe doctor --tune  and what is the fastest for experts on it?
        """;

    private readonly Option<bool> cold = Options.Flag(
        "--cold", "Also measure how long the driver takes to compile all kernels anew, with nothing kept from before.");

    private readonly Option<bool> tune = Options.Flag(
        "--tune", "Also measure the ways to multiply for experts (train --grouped) at sizes from small to large, for a minute at most.");

    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        DoctorCommand doctor = new();
        CommandWithExamples command = new(
            "doctor", "Show what of CUDA is there, and try every kernel in every mode beside the processor.", Examples)
        {
            doctor.cold,
            doctor.tune,
            doctor.json,
        };
        command.SetAction(doctor.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        DoctorReport report = Doctor.Examine(compilesAnew: parsed.GetValue(cold), tunes: parsed.GetValue(tune));
        TextWriter output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
            output.WriteLine(ToJson(report));
        else
            DoctorText.Write(Consoles.For(output), report);
        return report.Failed ? Cli.Failed : Cli.Done;
    }

    private static string ToJson(DoctorReport report) => new JsonObject
    {
        ["kind"] = "doctor",
        ["failed"] = report.Failed,
        ["failure"] = report.Failure,
        ["bindings"] = report.Bindings,
        ["driver"] = report.Driver?.ToString(),
        ["driver_path"] = report.DriverPath,
        ["environment"] = new JsonObject(report.Environment.Select(variable =>
            KeyValuePair.Create<string, JsonNode?>(variable.Name, variable.Value))),
        ["modules"] = Array(report.Modules, module => new JsonObject
        {
            ["file"] = module.File,
            ["kernels"] = module.Kernels,
            ["source_sha256"] = module.SourceHash,
        }),
        ["devices"] = Array(report.Devices, ToJson),
    }.ToJsonString(JsonSerializerOptions.Default);

    private static JsonObject ToJson(DeviceReport device) => new()
    {
        ["device"] = string.Create(CultureInfo.InvariantCulture, $"cuda:{device.Device.Index}"),
        ["name"] = device.Device.Name,
        ["compute_capability"] = device.Device.ComputeCapability.ToString(),
        ["memory_bytes"] = device.Device.MemoryBytes,
        ["cublas"] = device.Blas?.ToString(),
        ["cublas_path"] = device.BlasPath,
        ["failed"] = device.Failed,
        ["failure"] = device.Failure,
        ["notes"] = Array(device.Notes, note => JsonValue.Create(note)),
        ["seconds"] = device.Time.TotalSeconds,
        ["compilation_seconds"] = device.Compilation.TotalSeconds,
        ["cold_compilation_seconds"] = device.ColdCompilation?.TotalSeconds,
        ["compilation"] = new JsonObject(device.Modules.Select(module =>
            KeyValuePair.Create<string, JsonNode?>(module.File, module.Time.TotalSeconds))),
        ["kernels"] = Array(device.Kernels, kernel => new JsonObject
        {
            ["kernel"] = kernel.Name,
            ["file"] = kernel.File,
            ["registers"] = kernel.Registers,
            ["local_bytes"] = kernel.LocalBytes,
            ["shared_bytes"] = kernel.SharedBytes,
            ["most_threads"] = kernel.MostThreads,
        }),
        ["families"] = Array(device.Families, family => new JsonObject
        {
            ["family"] = family.Family,
            ["tensor_cores"] = Word(family.TensorCores),
            ["grouped"] = Word(family.Grouped),
            ["cases"] = family.Cases,
            // JSON has no infinity, which stands for a whole number that differs
            ["largest_error"] = double.IsFinite(family.LargestError) ? family.LargestError : null,
            ["tolerance"] = family.Tolerance,
            ["wrong"] = Array(family.Wrong, name => JsonValue.Create(name)),
        }),
        ["tuning"] = device.Tuning is { } tuning ? ToJson(tuning) : null,
    };

    private static JsonObject ToJson(TuningReport tuning) => new()
    {
        ["seconds"] = tuning.Time.TotalSeconds,
        ["notes"] = Array(tuning.Notes, note => JsonValue.Create(note)),
        ["products"] = Array(tuning.Products, product => new JsonObject
        {
            ["precision"] = Word(product.Precision),
            ["experts"] = product.Shape.Experts,
            ["rows"] = product.Shape.Rows,
            ["inputs"] = product.Shape.Inputs,
            ["outputs"] = product.Shape.Outputs,
            ["product"] = JsonNamingPolicy.SnakeCaseLower.ConvertName(product.Product.ToString()),
            ["own_microseconds"] = product.Own?.TotalMicroseconds,
            ["cublas_microseconds"] = product.Cublas?.TotalMicroseconds,
            ["loop_microseconds"] = product.Loop?.TotalMicroseconds,
            ["fastest"] = Word(product.Fastest),
            ["auto"] = Word(product.Auto),
        }),
        ["limits"] = Array(tuning.Limits, limit => new JsonObject
        {
            ["precision"] = Word(limit.Precision),
            ["own_is_fastest_up_to"] = limit.Fastest,
            ["auto_takes_own_up_to"] = limit.Auto,
        }),
    };

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static JsonArray Array<T>(IEnumerable<T> items, Func<T, JsonNode?> node) => new([.. items.Select(node)]);
}
