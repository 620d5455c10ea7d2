using TinyMoE.Families;

namespace TinyMoE.App;

/// <summary>Where a model is: in a run of ours or one of its checkpoints, or in a folder as Hugging Face's hubs have it.</summary>
/// <param name="Path">The folder.</param>
/// <param name="IsRun">Whether it is a run.</param>
public sealed record ModelFolder(string Path, bool IsRun = true)
{
    /// <summary>The folder of a run, or of a checkpoint.</summary>
    public static ModelFolder Run(string path) => new(path);

    /// <summary>The folder of a model of others.</summary>
    public static ModelFolder Hub(string path) => new(path, IsRun: false);

    /// <summary>A folder of either kind, which its <c>config.json</c> tells.</summary>
    public static ModelFolder Any(string path) => HubModel.IsThere(path) ? Hub(path) : Run(path);

    /// <summary>The folder of a run.</summary>
    public static implicit operator ModelFolder(string run) => Run(run);

    /// <inheritdoc/>
    public override string ToString() => Path;
}
