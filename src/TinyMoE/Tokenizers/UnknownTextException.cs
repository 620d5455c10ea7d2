namespace TinyMoE.Tokenizers;

/// <summary>A text has what a tokenizer has no id for.</summary>
/// <param name="message">What that is, where it is, and what to do.</param>
/// <param name="what">What that is, and what to do.</param>
/// <param name="place">The first byte of it in the text.</param>
internal sealed class UnknownTextException(string message, string what, int place) : TinyMoEException(message)
{
    /// <summary>What the tokenizer does not know, and what to do.</summary>
    public string What => what;

    /// <summary>The first byte of it in the text.</summary>
    public int Place => place;
}
