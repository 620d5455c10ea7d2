using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Cuda;
using TinyMoE.Files;

namespace TinyMoE.Cli;

/// <summary>The options --device, --threads, --tensor-cores, --grouped and --graph, which say what computes.</summary>
internal sealed class DeviceOptions
{
    private readonly Option<string?> device = new("--device")
    {
        HelpName = "cpu|cuda|cuda:N|auto",
        Description =
            "What computes: the processor, an NVIDIA card (the first, or number N), or a card where one is usable; cpu if not said.",
        CustomParser = Parse,
    };

    private readonly Option<int?> threads = Options.Threads();

    private readonly Option<string?> tensorCores = Options.OneOf("--tensor-cores",
        "What a card may round for speed: nothing; the operands of products to TF32; or, where weights are bfloat16, the other operand too;"
        + " off if not said.",
        Names<TensorCores>());

    private readonly Option<string?> grouped = Options.OneOf("--grouped",
        "How a card multiplies for experts: as is faster for their sizes, in one call of cuBLAS, in a loop of one call per expert, or by"
        + " kernels of its own, for which the host waits for no router; auto if not said.",
        Names<GroupedProducts>());

    private readonly Option<string?> graph = Options.OneOf("--graph",
        "Whether a card launches each step of a training, and each token of a text, as one CUDA graph: where it can, always or never; "
        + "auto if not said.",
        Names<GraphUse>());

    public void AddTo(Command command)
    {
        command.Add(device);
        command.Add(threads);
        command.Add(tensorCores);
        command.Add(grouped);
        command.Add(graph);
        command.Validators.Add(result =>
        {
            string name = result.GetResult(device)?.Tokens is [var word, ..] ? word.Value : DeviceRequest.Cpu;
            if (name.StartsWith(DeviceRequest.Cuda, StringComparison.Ordinal) && result.GetResult(threads) is not null)
                result.AddError($"--threads is for the processor; leave it out with --device {name}");
            foreach (Option option in name == DeviceRequest.Cpu ? [tensorCores, grouped, graph] : Array.Empty<Option>())
            {
                if (result.GetResult(option) is not null)
                    result.AddError($"{option.Name} is for a card; it needs --device cuda");
            }
        });
    }

    /// <summary>The choice; what auto took is told on the error output.</summary>
    public DeviceChoice Read(ParseResult parsed)
    {
        DeviceRequest request = new(
            parsed.GetValue(device) ?? DeviceRequest.Cpu,
            parsed.GetValue(threads) ?? 0,
            Value<TensorCores>(parsed, tensorCores),
            Value<GroupedProducts>(parsed, grouped),
            Value<GraphUse>(parsed, graph));
        return request.Choose(found => parsed.InvocationConfiguration.Error.WriteLine(Words.Note(
            $"--device auto takes {found.Card ?? $"the processor. {found.Failure}"}")));
    }

    /// <summary>The options that choose a card again, each after a blank; nothing for the processor.</summary>
    public static string Again(DeviceChoice choice) => choice.Card is { } card
        ? string.Create(CultureInfo.InvariantCulture, $" --device {DeviceRequest.Cuda}:{card}")
            + Unusual("--tensor-cores", choice.TensorCores) + Unusual("--grouped", choice.Grouped) + Unusual("--graph", choice.Graph)
        : "";

    private static string Unusual<T>(string option, T value)
        where T : struct, Enum => value.Equals(default(T)) ? "" : $" {option} {value.ToString().ToLowerInvariant()}";

    private static string[] Names<T>()
        where T : struct, Enum => [.. Enum.GetNames<T>().Select(name => name.ToLowerInvariant())];

    private static T Value<T>(ParseResult parsed, Option<string?> option)
        where T : struct, Enum => parsed.GetValue(option) is { } word ? Enum.Parse<T>(word, ignoreCase: true) : default;

    private static string? Parse(ArgumentResult result)
    {
        string name = result.Tokens[0].Value;
        if (DeviceRequest.IsKnown(name))
            return name;
        result.AddError($"--device has no '{Excerpt.Of(name)}'; known: {DeviceRequest.Known}");
        return null;
    }
}
