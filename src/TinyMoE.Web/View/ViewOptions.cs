using TinyMoE.App;

namespace TinyMoE.Web.View;

/// <summary>What pages show.</summary>
public sealed record ViewOptions
{
    /// <summary>The folders of runs, trained or being trained.</summary>
    public IReadOnlyList<string> Runs { get; init; } = [];

    /// <summary>A model in Hugging Face's form; null: none.</summary>
    public string? Model { get; init; }

    /// <summary>The device that computes where a page wants a model to.</summary>
    public DeviceChoice Device { get; init; } = new();
}
