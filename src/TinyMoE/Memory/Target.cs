namespace TinyMoE.Memory;

/// <summary>Where a kernel writes, and how: store the first result, add the
/// later ones. An empty target is a result that nobody wants.</summary>
/// <param name="View">The memory to write.</param>
/// <param name="Adds">False: y = result. True: y += result.</param>
public readonly record struct Target(Floats View, bool Adds)
{
    /// <summary>The target that nobody wants.</summary>
    public static Target None => default;

    /// <summary>True when the kernel may skip this output.</summary>
    public bool IsNone => View.IsNone;

    /// <summary>A plain view as a target is a store.</summary>
    public static implicit operator Target(Floats view) => new(view, Adds: false);
}
