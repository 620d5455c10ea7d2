namespace TinyMoE.Tests;

/// <summary>Tests that take or measure the memory of the process: they run one after the other, while no others do.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
