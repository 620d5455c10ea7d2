using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Cli.Output;
using TinyMoE.Cuda;

namespace TinyMoE.Cli;

/// <summary>What computes. Card null: the processor, on <paramref name="Threads"/> threads (0: all cores); else CUDA device number <paramref name="Card"/>.</summary>
internal sealed record DeviceChoice(int? Card = null, int Threads = 0, TensorCores TensorCores = default, GroupedProducts Grouped = default)
{
    /// <summary>Opens it.</summary>
    public Backend Open() => Card is { } card
        ? new CudaBackend(card, new CudaOptions { TensorCores = TensorCores, Grouped = Grouped })
        : new CpuBackend(Threads);

    /// <summary>The options that choose a card again, each after a blank; nothing for the processor.</summary>
    public string Arguments => Card is null ? ""
        : string.Create(CultureInfo.InvariantCulture, $" --device cuda:{Card}")
            + Unusual("--tensor-cores", TensorCores) + Unusual("--grouped", Grouped);

    private static string Unusual<T>(string option, T value)
        where T : struct, Enum => value.Equals(default(T)) ? "" : $" {option} {value.ToString().ToLowerInvariant()}";
}

/// <summary>--device, --threads, --tensor-cores and --grouped: what computes.</summary>
internal sealed class DeviceOptions
{
    private const string Cpu = "cpu", Cuda = "cuda", Auto = "auto";

    private readonly Option<string?> device = new("--device")
    {
        HelpName = "cpu|cuda|cuda:N|auto",
        Description = "What computes: the processor, an NVIDIA card (the first, or number N), or a card where one is usable; cpu if not said.",
        CustomParser = Parse,
    };

    private readonly Option<int?> threads = Options.Threads();

    private readonly Option<string?> tensorCores = Options.OneOf("--tensor-cores",
        "What a card may round for speed: nothing; the operands of products to TF32; or, where weights are bfloat16, the other operand too;"
        + " off if not said.",
        Names<TensorCores>());

    private readonly Option<string?> grouped = Options.OneOf("--grouped",
        "How a card multiplies for experts: as is faster for their sizes, in one call of cuBLAS, or in a loop of one call per expert;"
        + " auto if not said.",
        Names<GroupedProducts>());

    public void AddTo(Command command)
    {
        command.Add(device);
        command.Add(threads);
        command.Add(tensorCores);
        command.Add(grouped);
        command.Validators.Add(result =>
        {
            string name = result.GetResult(device)?.Tokens is [var word, ..] ? word.Value : Cpu;
            if (name.StartsWith(Cuda, StringComparison.Ordinal) && result.GetResult(threads) is not null)
                result.AddError($"--threads is for the processor; leave it out with --device {name}");
            foreach (Option option in name == Cpu ? [tensorCores, grouped] : Array.Empty<Option>())
            {
                if (result.GetResult(option) is not null)
                    result.AddError($"{option.Name} is for a card; it needs --device cuda");
            }
        });
    }

    /// <summary>The choice; what auto took is told on the error output.</summary>
    public DeviceChoice Read(ParseResult parsed)
    {
        string name = parsed.GetValue(device) ?? Cpu;
        DeviceChoice processor = new(Threads: parsed.GetValue(threads) ?? 0);
        DeviceChoice card = new(
            CardOf(name) ?? 0, TensorCores: Value<TensorCores>(parsed, tensorCores), Grouped: Value<GroupedProducts>(parsed, grouped));
        if (name != Auto)
            return name == Cpu ? processor : card;

        TextWriter error = parsed.InvocationConfiguration.Error;
        try
        {
            using Backend first = card.Open();
            error.WriteLine(Words.Note($"--device auto takes {first.Name}"));
            return card;
        }
        catch (CudaFailure e)
        {
            error.WriteLine(Words.Note($"--device auto takes the processor. {e.Message}"));
            return processor;
        }
    }

    private static string[] Names<T>()
        where T : struct, Enum => [.. Enum.GetNames<T>().Select(name => name.ToLowerInvariant())];

    private static T Value<T>(ParseResult parsed, Option<string?> option)
        where T : struct, Enum => parsed.GetValue(option) is { } word ? Enum.Parse<T>(word, ignoreCase: true) : default;

    private static string? Parse(ArgumentResult result)
    {
        string name = result.Tokens[0].Value;
        if (name is Cpu or Cuda or Auto || CardOf(name) is not null)
            return name;
        result.AddError($"--device has no '{name}'; known: cpu, cuda, cuda:N (N from 0), auto");
        return null;
    }

    /// <summary>N of cuda:N.</summary>
    private static int? CardOf(string name) =>
        name.StartsWith(Cuda + ":", StringComparison.Ordinal) && int.TryParse(name.AsSpan(Cuda.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int card) ? card : null;
}
