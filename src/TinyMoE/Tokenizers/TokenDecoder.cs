using System.Text;

namespace TinyMoE.Tokenizers;

/// <summary>Turns ids into text as they come: a character appears as soon as it is certain.</summary>
public abstract class TokenDecoder
{
    /// <summary>
    /// The text that is complete with <paramref name="id"/>: often one character, none where the id stands for no bytes or ends inside a
    /// character; invalid bytes become U+FFFD.
    /// </summary>
    public abstract string Push(int id);

    /// <summary>Ends the text: U+FFFD for an unfinished character, else nothing.</summary>
    public abstract string Flush();
}

/// <summary>Puts the bytes of ids together.</summary>
internal sealed class ByteDecoder(Tokenizer tokenizer) : TokenDecoder
{
    private readonly Decoder decoder = Encoding.UTF8.GetDecoder();
    private char[] text = new char[16];

    /// <inheritdoc/>
    public override string Push(int id) => Decode(tokenizer.Bytes(id), flush: false);

    /// <inheritdoc/>
    public override string Flush() => Decode([], flush: true);

    private string Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        int most = Encoding.UTF8.GetMaxCharCount(bytes.Length); // with what an unfinished character before them can become
        if (text.Length < most)
            text = new char[most];
        return new string(text, 0, decoder.GetChars(bytes, text, flush));
    }
}
