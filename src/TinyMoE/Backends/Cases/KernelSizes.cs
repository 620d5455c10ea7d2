namespace TinyMoE.Backends.Cases;

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
/// <param name="K">Choices per token.</param>
/// <param name="F">Expert hidden size.</param>
internal sealed record KernelSizes(int N, int C, int V, int B, int H, int KvHeads, int D, int E, int K, int F)
{
    /// <summary>A layer of a small model.</summary>
    public static KernelSizes Typical { get; } = new(N: 512, C: 256, V: 1024, B: 4, H: 8, KvHeads: 4, D: 32, E: 8, K: 2, F: 128);

    /// <summary>No size is a multiple of another's unit.</summary>
    public static KernelSizes Odd { get; } = new(N: 87, C: 37, V: 131, B: 3, H: 6, KvHeads: 3, D: 10, E: 5, K: 3, F: 23);
}
