using TinyMoE.Moe;
using TinyMoE.Tensors;

namespace TinyMoE.Models;

/// <summary>The results of a forward pass.</summary>
/// <param name="Logits">(N, V), N = B·T, or 1 for the last token only.</param>
/// <param name="Routings">What the router of each MoE layer decided.</param>
public sealed record DecoderOutput(Tensor Logits, IReadOnlyList<(int Layer, Routing Routing)> Routings);
