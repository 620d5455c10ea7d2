using TinyMoE.Memory;

namespace TinyMoE.Tensors;

/// <summary>
/// Rows of x that nobody has moved: row r is that of token Tokens[r], zeros where that is −1. It has a gradient like any activation, and no
/// values of its own: an op that knows it reads <see cref="Source"/> by token, and one that asks for its values throws.
/// </summary>
internal sealed class UnmovedRows : Tensor
{
    /// <summary>x (N, C), tokens (rows).</summary>
    public UnmovedRows(Tensor x, Ints tokens)
        : base(x.Tape, (tokens.Length, x.Shape.Last), Values.At(0, 0, x.Type), wantsGrad: x.Tape.Recording, isActivation: true)
    {
        (Source, Tokens, IsUsedUp) = (x, tokens, true);
    }

    /// <summary>x (N, C).</summary>
    public Tensor Source { get; }

    /// <summary>Tokens, N.</summary>
    public int TokenCount => Source.Count / Source.Shape.Last;

    /// <summary>The token of each row (rows).</summary>
    public Ints Tokens { get; }

    /// <inheritdoc/>
    internal override bool HasNode => true;
}
