using TinyMoE.Backends;
using TinyMoE.Backends.Profiling;
using TinyMoE.Files;
using TinyMoE.Models;
using TinyMoE.Optim;

namespace TinyMoE.Train;

/// <summary>Looks for all that can be wrong with a checkpoint, without a device.</summary>
internal static class CheckpointDamage
{
    /// <summary>
    /// A line for each file that is missing, damaged or not its own; where all are as they were written, for what does not fit together.
    /// </summary>
    public static IReadOnlyList<string> Find(string folder)
    {
        try
        {
            (IReadOnlyList<string> missing, IReadOnlyList<string> different) = Checkpoint.Compare(folder);
            string[] damage =
            [
                .. missing.Select(name => $"{Path.Combine(folder, name)} is missing"),
                .. different.Select(name => Checkpoint.Differs(folder, name)),
            ];
            if (damage.Length == 0)
                ReadAll(folder);
            return damage;
        }
        catch (TinyMoEException e)
        {
            return [e.Message];
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            return [$"Cannot read the checkpoint {folder}: {FileProblem.Reason(e)}."];
        }
    }

    /// <summary>Reads everything as a training that goes on would, on a device that keeps nothing.</summary>
    private static void ReadAll(string folder)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        using Backend nothing = ProfilingBackend.DryRun();
        checkpoint.RequireWeights(checkpoint.Config);
        using Decoder model = new(nothing, checkpoint.Config);
        if (checkpoint.IsImported)
            checkpoint.LoadWeights(model);
        else
            checkpoint.Load(model, new AdamW(model.Parameters, checkpoint.Config.Train));
        checkpoint.LoadRouting();
        checkpoint.LoadLabels();
        if (checkpoint.Has(RunFiles.Tokenizer))
            checkpoint.LoadTokenizer();
    }
}
