using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Configuration;
using TinyMoE.Files;
using TinyMoE.Surgery;
using TinyMoE.Train;
using static System.FormattableString;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe upcycle</c>: makes a mixture of dense models.</summary>
internal sealed class UpcycleCommand
{
    private const string Examples = """
        tinymoe upcycle --run runs/dense --out runs/copies --set moe.experts=8 moe.active=2
        tinymoe upcycle --run runs/dense --out runs/drop --set moe.experts=8 moe.active=2 --method drop --drop-ratio 0.5
        tinymoe upcycle --run runs/dense --out runs/fine --set moe.experts=16 moe.active=4 moe.hidden=256 --method granular
        tinymoe upcycle --model Llama-3.2-1B --out runs/parts --set moe.experts=8 moe.active=2 --method partition
        tinymoe upcycle --run runs/code runs/prose --out runs/mix --set moe.experts=2 moe.active=2
        """;

    private readonly Option<string[]> runs = Options.Texts("--run", "DIR", "The dense run; several, and each gives experts.");
    private readonly Option<string[]> models = Options.Texts("--model", "DIR",
        "The dense model in Hugging Face's form, or several, instead of runs.");
    private readonly Option<string?> folder = Options.Text("--out", "RUN", "The folder of the new run.");
    private readonly Option<string[]> set = Options.Texts("--set", "KEY=VALUE",
        "Keys of the mixture, those of moe and train; moe.experts must be set.");
    private readonly Option<string?> method = Options.OneOf("--method",
        "What experts begin as: copies of the feed-forward, some of their neurons drawn anew, shards of copies, parts. copy if not said.",
        "copy", "drop", "granular", "partition");
    private readonly Option<float?> dropRatio = Options.Number("--drop-ratio", value => value is >= 0 and <= 1, "a number from 0 to 1",
        "Method drop: the share of an expert's neurons that is drawn anew; 0.5 if not said.");
    private readonly Option<string?> partition = Options.OneOf("--partition",
        "Method partition: which neurons come together, any or those of like weights. random if not said.", "random", "clusters");
    private readonly Option<bool> shared = Options.Flag("--shared",
        "Make a shared expert of half of the neurons, or of what moe.hidden leaves, and the experts of the others.");
    private readonly Option<string?> layers = Options.Text("--layers", "LAYERS",
        "The layers that get experts, from 0, as in 2,3; all if not said.");
    private readonly Option<float?> noise = Options.Number("--noise", value => value >= 0, "a number, at least 0",
        "Standard deviation of normal noise on the experts' matrices; none if not said.");
    private readonly Option<float?> scale = Options.Number("--scale", value => value > 0, "a number above 0",
        "What the experts' down projections are multiplied by. What makes the first step as the dense model's if not said.");
    private readonly Option<ulong?> seed = Options.Seed("Of what is drawn: routers, neurons, parts, noise; 1 if not said.");
    private readonly Option<string[]> data = Options.Texts("--data", "PATH",
        "The text to measure both models on. What was held out of the run's own text if not said.");
    private readonly Option<int?> windows = Options.Whole("--windows", 0, "Windows of it to measure; 16 if not said, 0: none.");
    private readonly DeviceOptions device = new();
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        UpcycleCommand upcycle = new();
        upcycle.folder.Required = true;
        CommandWithExamples command = new("upcycle", "Make a mixture of a dense model, to train on from there.", Examples)
        {
            upcycle.runs, upcycle.models, upcycle.folder, upcycle.set, upcycle.method, upcycle.dropRatio, upcycle.partition, upcycle.shared,
            upcycle.layers, upcycle.noise, upcycle.scale, upcycle.seed, upcycle.data, upcycle.windows,
        };
        upcycle.device.AddTo(command);
        command.Add(upcycle.json);
        command.Validators.Add(upcycle.Check);
        command.SetAction(upcycle.Run);
        return command;
    }

    private void Check(CommandResult result)
    {
        if (result.GetResult(runs) is not null && result.GetResult(models) is not null)
            result.AddError("--run and --model exclude each other; name one");
        else if (result.GetResult(runs) is null && result.GetResult(models) is null)
            result.AddError("upcycle needs --run DIR or --model DIR");
        ConfigOptions.CheckChanges(result, set, "moe.experts=8");
        if (result.GetValue(layers) is { } text && LayerList.Parse(text) is null)
            result.AddError($"--layers needs numbers with commas between, as in 2,3, not '{Excerpt.Of(text)}'");
        Needs(dropRatio, "drop");
        Needs(partition, "partition");

        void Needs(Option option, string wanted)
        {
            if (result.GetResult(option) is not null && result.GetValue(method) != wanted)
                result.AddError($"{option.Name} is of --method {wanted}");
        }
    }

    private int Run(ParseResult parsed)
    {
        UpcycleOptions usual = new();
        UpcycleRequest request = new(Models(parsed), parsed.GetValue(folder)!)
        {
            Changes = ConfigOptions.ReadChanges(parsed, set),
            Options = new UpcycleOptions
            {
                Method = parsed.GetValue(method) is { } name ? Enum.Parse<UpcycleMethod>(name, ignoreCase: true) : usual.Method,
                DropRatio = parsed.GetValue(dropRatio) ?? usual.DropRatio,
                Partition = parsed.GetValue(partition) is { } kind ? Enum.Parse<PartitionKind>(kind, ignoreCase: true) : usual.Partition,
                Shared = parsed.GetValue(shared),
                Layers = parsed.GetValue(layers) is { } text ? LayerList.Parse(text) : null,
                Noise = parsed.GetValue(noise) ?? usual.Noise,
                Scale = parsed.GetValue(scale),
                Seed = parsed.GetValue(seed) ?? usual.Seed,
            },
            Sources = parsed.GetResult(data) is null ? null : parsed.GetValue(data),
            Windows = parsed.GetValue(windows) ?? 16,
            Device = device.Read(parsed),
        };
        using Interrupts interrupts = new();
        UpcycleResult result = Upcycling.Run(request, interrupts.Token);
        foreach (NoteReport note in result.Notes)
            parsed.InvocationConfiguration.Error.WriteLine(Words.Note(note.Text));
        TextWriter output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
            output.WriteLine(Printable.Json(Json(result)));
        else
            Write(output, request, result);
        return Cli.Done;
    }

    private IReadOnlyList<ModelFolder> Models(ParseResult parsed) => parsed.GetResult(runs) is not null
        ? [.. parsed.GetValue(runs)!.Select(ModelFolder.Run)] : [.. parsed.GetValue(models)!.Select(ModelFolder.Hub)];

    private static void Write(TextWriter output, UpcycleRequest request, UpcycleResult result)
    {
        MoeConfig moe = result.Config.Moe;
        int count = Enumerable.Range(0, result.Config.Model.Layers).Count(moe.InLayer);
        string shared = moe.SharedHidden > 0 ? $", a shared one of {moe.SharedHidden}" : "";
        output.WriteLine(
            $"{moe.Experts} experts of {moe.Hidden} in {count} of {result.Config.Model.Layers} layers{shared}; "
            + $"{moe.ActiveOfRouter} per token; {Words.Count(result.Weights)} weights");
        if (result.Scale != 1f)
            output.WriteLine(Invariant($"down projections of experts are multiplied by {result.Scale:G6}"));
        output.WriteLine(result.Differences.Count == 0 ? "the first step computes the dense model"
            : $"the first step does not compute the dense model: {string.Join("; ", result.Differences)}");
        if (result.Losses is { } losses)
        {
            foreach ((ModelFolder model, EvalReport dense) in request.Models.Zip(losses.Dense))
                output.WriteLine($"{model}, {Words.Of(losses.Text)}: {Words.Of(dense)}");
            output.WriteLine($"the mixture, the same: {Words.Of(losses.Mixture)}; a jump of {Number(losses.Jump)}");
        }

        output.WriteLine($"{request.Folder} is a run now; go on with: tinymoe train --init {Typed.Path(request.Folder)} --out RUN");
    }

    private static string Number(double value) => value.ToString("+0.000000;-0.000000;0.000000", CultureInfo.InvariantCulture);

    private static string Json(UpcycleResult result)
    {
        MoeConfig moe = result.Config.Moe;
        return JsonSerializer.Serialize(new
        {
            type = "upcycle", experts = moe.Experts, active = moe.ActiveOfRouter, hidden = moe.Hidden, shared_hidden = moe.SharedHidden,
            weights = result.Weights, scale = result.Scale, is_dense = result.Differences.Count == 0, differences = result.Differences,
            dense_loss = result.Losses?.Dense.Select(report => report.Loss), loss = result.Losses?.Mixture.Loss, jump = result.Losses?.Jump,
        });
    }
}
