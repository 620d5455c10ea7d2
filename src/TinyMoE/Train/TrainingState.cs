using System.Text.Json;
using TinyMoE.Files;

namespace TinyMoE.Train;

/// <summary>What a run knows besides weights and moments: <c>state.json</c> of a checkpoint.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="SavedStep">Step of the last saved checkpoint.</param>
/// <param name="BestLoss">Lowest validation loss so far; null before the first evaluation.</param>
/// <param name="BestStep">The step of the best evaluation.</param>
/// <param name="Fingerprint">Names the exact text and vocabulary that the run trains on.</param>
/// <param name="Format">The version of the checkpoint's format; 0 in one from before it had any.</param>
internal sealed record TrainingState(int Step, int SavedStep, double? BestLoss, int BestStep, string Fingerprint, int Format = 0)
{
    /// <summary>The format that is written; all older ones are read.</summary>
    private const int NewestFormat = 1;

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
    };

    /// <summary>Whether a run can come to it.</summary>
    private bool IsPossible =>
        SavedStep >= 0 && SavedStep <= Step && BestStep >= 0 && BestStep <= Step && double.IsFinite(BestLoss ?? 0);

    public static TrainingState New(string fingerprint) => new(0, 0, null, 0, fingerprint);

    /// <summary>Refuses a checkpoint of a format that a later version has made; one without a state says nothing of it.</summary>
    /// <exception cref="TinyMoEException">Its format is newer than this version knows.</exception>
    public static void RequireKnownFormat(string path)
    {
        if (!File.Exists(path))
            return;
        try
        {
            using JsonDocument state = JsonDocument.Parse(File.ReadAllText(path));
            if (state.RootElement.ValueKind == JsonValueKind.Object && state.RootElement.TryGetProperty("format", out JsonElement format)
                && !(format.ValueKind == JsonValueKind.Number && format.TryGetInt32(out int version)
                    && version is >= 0 and <= NewestFormat))
            {
                string found = string.Concat(format.GetRawText().Take(40).Select(c => char.IsControl(c) ? ' ' : c));
                throw new TinyMoEException(
                    $"{path}: the checkpoint has format {found}, and this version of tinymoe reads formats up to {NewestFormat}; "
                    + "use a newer one.");
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter: half a surrogate pair, escaped
        {
            // whoever needs the state says that it is damaged
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    public static TrainingState Load(string path)
    {
        RequireKnownFormat(path);
        try
        {
            TrainingState? state = JsonSerializer.Deserialize<TrainingState>(File.ReadAllBytes(path), Json);
            return state is { IsPossible: true } ? state : throw new JsonException("no run comes to this state");
        }
        catch (JsonException e)
        {
            throw new TinyMoEException($"{path} is not the state of a training run; the checkpoint is damaged, use another.", e);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    public void Save(string path) => AtomicFile.WriteText(path, JsonSerializer.Serialize(this with { Format = NewestFormat }, Json));
}
