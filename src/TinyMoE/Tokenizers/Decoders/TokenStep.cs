namespace TinyMoE.Tokenizers.Decoders;

/// <summary>
/// One step from tokens to text, which gets tokens one after another and gives tokens on. A token may come in several parts: where it is
/// put together of others nothing has to wait for all of it.
/// </summary>
internal abstract class TokenStep
{
    /// <summary>The step that gets what this one gives.</summary>
    public TokenStep? Next { get; init; }

    /// <summary>The next part of a token.</summary>
    public abstract void Push(ReadOnlySpan<char> text, bool begins, bool ends);

    /// <summary>No token comes any more: gives what it kept.</summary>
    public virtual void Finish() => Next?.Finish();

    /// <summary>Gives a part of a token on.</summary>
    protected void Give(ReadOnlySpan<char> text, bool begins, bool ends) => Next!.Push(text, begins, ends);
}

/// <summary>A kind of step as the file describes it, from which a chain is made for every text.</summary>
internal delegate TokenStep TokenStepKind(TokenStep next);
