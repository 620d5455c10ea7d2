namespace TinyMoE.Tokenizers;

/// <summary>Receives the tokens of a text as they are found.</summary>
public interface ITokenSink
{
    /// <summary>
    /// The next token, whose first byte is at <paramref name="start"/> of the text, never before the token before. An id that stands for no
    /// bytes has the place where it was put in.
    /// </summary>
    void Add(int id, int start);
}
