using TinyMoE.Moe;
using TinyMoE.Tensors;

namespace TinyMoE.Models;

/// <summary>The results of a forward pass.</summary>
/// <param name="Logits">(N, V), N = B·T, or 1 for the last token only.</param>
/// <param name="Routings">What the router of each MoE layer decided.</param>
public sealed record DecoderOutput(Tensor Logits, IReadOnlyList<(int Layer, Routing Routing)> Routings)
{
    private static readonly Func<DecoderOutput> New = static () => new DecoderOutput(null!, new List<(int, Routing)>());

    /// <summary>(N, V), N = B·T, or 1 for the last token only.</summary>
    public Tensor Logits { get; private set; } = Logits;

    /// <summary>An output that is being made, as long as the step of a tape; its logits come last.</summary>
    internal static DecoderOutput Begin(Tape tape)
    {
        DecoderOutput output = tape.Take(New);
        ((List<(int, Routing)>)output.Routings).Clear();
        return output;
    }

    /// <summary>Adds what the router of a layer decided.</summary>
    internal void Add(int layer, Routing routing) => ((List<(int, Routing)>)Routings).Add((layer, routing));

    /// <summary>The output with its logits.</summary>
    internal DecoderOutput With(Tensor logits)
    {
        Logits = logits;
        return this;
    }
}
