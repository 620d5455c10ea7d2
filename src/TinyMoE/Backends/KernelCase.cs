namespace TinyMoE.Backends;

/// <summary>The sizes that kernels are tried at, by the letters of the contract. <see cref="Typical"/> is a layer of a small model;
/// <see cref="Odd"/> fits no vector, warp or tile.</summary>
/// <param name="N">Rows, and tokens.</param>
/// <param name="C">Channels.</param>
/// <param name="V">Vocabulary.</param>
/// <param name="B">Sequences; divides N.</param>
/// <param name="H">Query heads.</param>
/// <param name="KvHeads">Key and value heads.</param>
/// <param name="D">Size of a head.</param>
/// <param name="E">Experts.</param>
/// <param name="K">Choices a token.</param>
/// <param name="F">Expert hidden size.</param>
public sealed record KernelSizes(int N, int C, int V, int B, int H, int KvHeads, int D, int E, int K, int F)
{
    /// <summary>A layer of a small model.</summary>
    public static KernelSizes Typical { get; } = new(N: 512, C: 256, V: 1024, B: 4, H: 8, KvHeads: 4, D: 32, E: 8, K: 2, F: 128);

    /// <summary>No size is a multiple of another's unit.</summary>
    public static KernelSizes Odd { get; } = new(N: 87, C: 37, V: 131, B: 3, H: 6, KvHeads: 3, D: 10, E: 5, K: 3, F: 23);
}

/// <summary>One kernel of the contract at given sizes.</summary>
/// <param name="Family">Its heading in the contract, as the files are named.</param>
/// <param name="Name">The kernel, and the variant.</param>
/// <param name="Run">Calls it: draws inputs and asks for outputs in an order that is the same on every device.</param>
/// <param name="Tolerance">How far values may be from the CPU's, relative to 1 + |value|; whole numbers must be equal.</param>
internal sealed record KernelCase(string Family, string Name, Action<Backend, KernelData> Run, double Tolerance = 1e-5)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Family}: {Name}";

    /// <summary>The largest error of <paramref name="device"/> beside <paramref name="reference"/>,
    /// relative to 1 + |value|; infinite where a whole number differs.</summary>
    public double ErrorOn(Backend device, Backend reference)
    {
        using KernelData expected = new(reference), actual = new(device);
        Run(reference, expected);
        Run(device, actual);
        return actual.ErrorBeside(expected);
    }
}
