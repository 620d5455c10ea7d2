using TinyMoE.Moe;
using TinyMoE.Tensors;

namespace TinyMoE.Models;

/// <summary>What the experts of a layer are about to be given; as long as the tape that it was computed on.</summary>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Stream">The residual stream (B, T, C), which their output is added to.</param>
/// <param name="Normed">The same normed (B, T, C), which they are given.</param>
public readonly record struct ExpertsInput(int Layer, Tensor Stream, Tensor Normed)
{
    /// <summary>What experts gave for these tokens already; null: nothing.</summary>
    internal ExpertRows? Known { get; init; }
}
