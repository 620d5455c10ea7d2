namespace TinyMoE.Memory;

/// <summary>
/// Where a kernel writes, and how: store the first result, add the later ones. An empty target is a result that nobody wants.
/// </summary>
/// <param name="Values">The memory to write, in its element type; a sum in bfloat16 is rounded each time that something is added.</param>
/// <param name="Adds">False: y = result. True: y += result.</param>
public readonly record struct Target(Values Values, bool Adds)
{
    /// <summary>The target that nobody wants.</summary>
    public static Target None => default;

    /// <summary>The memory to write, of a kernel that writes float32.</summary>
    /// <exception cref="InvalidOperationException">It is kept in bfloat16.</exception>
    public Floats View => Values.Float32;

    /// <summary>How the memory is kept.</summary>
    public ElementType Type => Values.Type;

    /// <summary>True when the kernel may skip this output.</summary>
    public bool IsNone => Values.IsNone;

    /// <summary>A plain view as a target is a store.</summary>
    public static implicit operator Target(Floats view) => new(view, Adds: false);

    /// <summary>Plain values as a target are a store.</summary>
    public static implicit operator Target(Values values) => new(values, Adds: false);
}
