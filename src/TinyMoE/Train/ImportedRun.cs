using TinyMoE.Configuration;
using TinyMoE.Families;
using TinyMoE.Files;
using TinyMoE.Layers;
using TinyMoE.Tokenizers;

namespace TinyMoE.Train;

/// <summary>A run of ours made of other models: its last checkpoint, of step 0, without moments, so that no training goes on from it.
/// </summary>
internal static class ImportedRun
{
    /// <summary>The fingerprint of the text of a run that was trained by nobody here.</summary>
    public const string Fingerprint = "imported";

    /// <summary>Writes the checkpoint; <paramref name="tokenizer"/> may be missing.</summary>
    /// <exception cref="StorageException">The file system refuses; nothing is left.</exception>
    public static void Write(
        RunFolder run, RunConfig config, IWeightSource weights, Tokenizer? tokenizer, IReadOnlyDictionary<string, byte[]> companions) =>
        CheckpointWriter.Save(
            run.Last,
            place => AtomicFile.WriteText(Path.Combine(place, RunFiles.Config), ConfigJson.Write(config)),
            place => SafetensorsExport.Write(
                place, HubExport.Tensors(config, TensorNames.Of(config.Model), weights), shardSize: long.MaxValue),
            CheckpointWriter.State(TrainingState.New(Fingerprint)),
            place => tokenizer?.Save(Path.Combine(place, RunFiles.Tokenizer)),
            CheckpointWriter.Companions(companions));
}
