using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>
/// A family of models as Hugging Face's hubs carry them: what its <c>config.json</c> says in our keys, and what its files call our
/// tensors. A class that derives from this one is found by itself: it needs to be named nowhere.
/// </summary>
public abstract class Family
{
    /// <summary>All families, by name.</summary>
    public static IReadOnlyList<Family> All { get; } =
    [
        .. typeof(Family).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(Family)) && !type.IsAbstract)
            .Select(type => (Family)Activator.CreateInstance(type)!)
            .OrderBy(family => family.Name, StringComparer.Ordinal),
    ];

    /// <summary>Its name, as <c>model_type</c> of its <c>config.json</c> has it.</summary>
    public abstract string Name { get; }

    /// <summary>The class of transformers that opens it, as <c>architectures</c> names it.</summary>
    public abstract string Architecture { get; }

    /// <summary>Where several families can say a model, the one of the least preference does.</summary>
    internal virtual int Preference => 2;

    /// <summary>Its keys and what they are here, in the order in which they are read.</summary>
    internal abstract IReadOnlyList<ConfigRule> Rules { get; }

    /// <summary>What its files call the tensors of a model.</summary>
    public TensorNames Names(RunConfig config)
    {
        NameTable table = new(Name);
        AddNames(table, config);
        return table.ToNames();
    }

    /// <summary>The family of this name.</summary>
    /// <exception cref="TinyMoEException">There is none.</exception>
    public static Family Of(string name) => All.FirstOrDefault(family => family.Name == name)
        ?? throw new TinyMoEException($"No family of models is called '{Files.Excerpt.Of(name)}'; known: "
            + $"{string.Join(", ", All.Select(f => f.Name))}");

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>Adds the names of its tensors.</summary>
    internal abstract void AddNames(NameTable names, RunConfig config);
}
