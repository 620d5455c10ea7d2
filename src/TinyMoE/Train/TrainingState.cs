using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Configuration;
using TinyMoE.Files;

namespace TinyMoE.Train;

/// <summary>What a run knows besides weights and moments: <c>state.json</c> of a checkpoint.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="BestLoss">Lowest validation loss so far; null before the first evaluation.</param>
/// <param name="BestStep">The step of the best evaluation.</param>
/// <param name="Fingerprint">Names the exact text and vocabulary that the run trains on.</param>
/// <param name="EvaluatedStep">Steps done at the last evaluation; null in a state from before format 2, saved after its evaluation.</param>
/// <param name="Format">The version of the checkpoint's format; 0 in one from before it had any.</param>
/// <param name="BestBitsPerByte">The lowest validation loss in bits per byte of the text; null where nobody knows it.</param>
internal sealed record TrainingState(
    int Step, double? BestLoss, int BestStep, string Fingerprint, int? EvaluatedStep = null, int Format = 0,
    double? BestBitsPerByte = null)
{
    /// <summary>The format that is written; all older ones are read.</summary>
    private const int NewestFormat = 3;

    /// <summary>From this format on a checkpoint has checksums.</summary>
    private const int FirstWithChecksums = 2;

    /// <summary>
    /// From this format on the router deepseek reads <c>moe.renormalize</c>; until then it divided where there were several scores.
    /// </summary>
    private const int FirstWithDeepSeekRenormalize = 3;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Whether the checkpoint must have a list of checksums.</summary>
    public bool HasChecksums => Format >= FirstWithChecksums;

    /// <summary>The configuration of a checkpoint of this format, so that it computes what it did when it was written.</summary>
    public RunConfig OfItsTime(RunConfig config) => Format >= FirstWithDeepSeekRenormalize || config.Moe.Router != RouterKind.DeepSeek
        ? config
        : config with { Moe = config.Moe with { Renormalize = config.Moe.Active > 1 } };

    /// <summary>The state of a run that has not begun.</summary>
    public static TrainingState New(string fingerprint) => new(0, null, 0, fingerprint, EvaluatedStep: 0);

    /// <summary>This state where its evaluation is the best so far.</summary>
    public TrainingState WithBest(EvalReport report) => this with
    {
        BestLoss = report.Loss,
        BestStep = Step,
        BestBitsPerByte = double.IsFinite(report.BitsPerByte) ? report.BitsPerByte : null,
    };

    /// <summary>Reads what <see cref="Write"/> wrote, in any format up to the newest; <paramref name="path"/> names it in errors.</summary>
    /// <exception cref="TinyMoEException">It is no such state, or of a newer format.</exception>
    public static TrainingState Read(ReadOnlyMemory<byte> text, string path)
    {
        try
        {
            TrainingState state = Parse(text, path);
            return state.Problem is not { } problem ? state with { EvaluatedStep = state.EvaluatedStep ?? state.Step }
                : throw new TinyMoEException($"{path} has {problem}; the checkpoint is damaged, use another.");
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            throw new TinyMoEException($"{path} is not the state of a training run; the checkpoint is damaged, use another.", e);
        }
    }

    /// <summary>The state as it is written.</summary>
    public string Write() => new JsonObject
    {
        ["step"] = Step,
        ["best_loss"] = BestLoss,
        ["best_step"] = BestStep,
        ["fingerprint"] = Fingerprint,
        ["evaluated_step"] = EvaluatedStep,
        ["format"] = NewestFormat,
        ["best_bits_per_byte"] = BestBitsPerByte,
    }.ToJsonString(Indented);

    /// <summary>
    /// By hand: the library's serializer makes itself a reader first, for longer than it takes to open a small model. What is missing, of
    /// another kind, or half of a surrogate pair is an exception of the document's.
    /// </summary>
    private static TrainingState Parse(ReadOnlyMemory<byte> text, string path)
    {
        using JsonDocument document = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
        JsonElement state = document.RootElement;
        RequireKnownFormat(state, path);
        return new TrainingState(
            state.GetProperty("step").GetInt32(),
            Number(state.GetProperty("best_loss")),
            state.GetProperty("best_step").GetInt32(),
            state.GetProperty("fingerprint").GetString() ?? throw new JsonException("no fingerprint"),
            state.TryGetProperty("evaluated_step", out JsonElement evaluated) && evaluated.ValueKind != JsonValueKind.Null
                ? evaluated.GetInt32() : null,
            state.TryGetProperty("format", out JsonElement format) ? format.GetInt32() : 0,
            state.TryGetProperty("best_bits_per_byte", out JsonElement bits) ? Number(bits) : null);
    }

    private static double? Number(JsonElement element) => element.ValueKind == JsonValueKind.Null ? null : element.GetDouble();

    /// <summary>What cannot be of these values; null where all can.</summary>
    private string? Problem =>
        Step < 0 ? $"step {Step}"
        : EvaluatedStep is { } evaluated && (evaluated < 0 || evaluated > Step) ? $"evaluated_step {evaluated} at step {Step}"
        : BestStep < 0 || BestStep > Step ? $"best_step {BestStep} at step {Step}"
        : BestLoss is { } loss && !double.IsFinite(loss) ? $"best_loss {loss}"
        : BestBitsPerByte is { } bits && !double.IsFinite(bits) ? $"best_bits_per_byte {bits}"
        : null;

    /// <summary>Refuses a checkpoint of a format that a later version has made.</summary>
    private static void RequireKnownFormat(JsonElement state, string path)
    {
        if (state.ValueKind == JsonValueKind.Object && state.TryGetProperty("format", out JsonElement format)
            && !(format.ValueKind == JsonValueKind.Number && format.TryGetInt32(out int version) && version is >= 0 and <= NewestFormat))
        {
            string found = Excerpt.Of(format.GetRawText(), most: 40);
            throw new TinyMoEException(
                $"{path}: the checkpoint has format {found}, and this version of tinymoe reads formats up to {NewestFormat}; use a newer "
                + "one.");
        }
    }
}
