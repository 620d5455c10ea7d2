using TinyMoE.Families;
using TinyMoE.Models;

namespace TinyMoE.Train;

/// <summary>Opens what a new run can begin with.</summary>
internal static class InitialModel
{
    /// <summary>A run or a checkpoint of ours, or a folder as Hugging Face's hubs have it, which its <c>config.json</c> shows.</summary>
    /// <exception cref="TinyMoEException">It is neither, or cannot be used.</exception>
    public static IInitialModel Open(string folder) =>
        HubModel.IsThere(folder) ? HubModel.Open(folder) : Checkpoint.Open(RunFolder.FindCheckpoint(folder));
}
