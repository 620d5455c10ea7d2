using TinyMoE.Configuration;

namespace TinyMoE.Families;

/// <summary>
/// A family of models: what its files call our tensors. A class that derives from this one is found by itself: it needs to be named
/// nowhere.
/// </summary>
public abstract class Family
{
    /// <summary>The name of the family that a run's own checkpoints are written in.</summary>
    private const string OwnName = "mixtral";

    /// <summary>All families, by name.</summary>
    public static IReadOnlyList<Family> All { get; } =
    [
        .. typeof(Family).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(Family)) && !type.IsAbstract)
            .Select(type => (Family)Activator.CreateInstance(type)!)
            .OrderBy(family => family.Name, StringComparer.Ordinal),
    ];

    /// <summary>The family that a run's own checkpoints are written in.</summary>
    public static Family Own => Of(OwnName);

    /// <summary>Its name, as <c>model_type</c> of its <c>config.json</c> has it.</summary>
    public abstract string Name { get; }

    /// <summary>What its files call the tensors of a model.</summary>
    public abstract TensorNames Names(ModelConfig model);

    /// <summary>The family of this name.</summary>
    /// <exception cref="TinyMoEException">There is none.</exception>
    public static Family Of(string name) => All.FirstOrDefault(family => family.Name == name)
        ?? throw new TinyMoEException($"No family of models is called '{name}'; known: {string.Join(", ", All.Select(f => f.Name))}.");

    /// <inheritdoc/>
    public override string ToString() => Name;
}
