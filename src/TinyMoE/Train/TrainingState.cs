using System.Text.Json;
using TinyMoE.Files;

namespace TinyMoE.Train;

/// <summary>What a run knows besides weights and moments: <c>state.json</c> of a checkpoint.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="SavedStep">Step of the last saved checkpoint.</param>
/// <param name="BestLoss">Lowest validation loss so far; null before the first evaluation.</param>
/// <param name="BestStep">Its step.</param>
/// <param name="Fingerprint">Names the exact text and vocabulary that the run trains on.</param>
internal sealed record TrainingState(int Step, int SavedStep, double? BestLoss, int BestStep, string Fingerprint)
{
    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectRequiredConstructorParameters = true,
    };

    public static TrainingState New(string fingerprint) => new(0, 0, null, 0, fingerprint);

    public static TrainingState Load(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<TrainingState>(File.ReadAllText(path), Format) ?? throw new JsonException("null");
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

    public void Save(string path) => AtomicFile.WriteText(path, JsonSerializer.Serialize(this, Format));
}
