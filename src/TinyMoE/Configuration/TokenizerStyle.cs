namespace TinyMoE.Configuration;

/// <summary>How a byte-pair tokenizer that is trained cuts text into words, and what its tokens are made of; named after models.</summary>
public enum TokenizerStyle
{
    /// <summary>Words with the blank before them, numbers whole, bytes.</summary>
    Gpt2,

    /// <summary>Words with the character before them, numbers in groups of three, line ends with what is before them, bytes.</summary>
    Llama3,

    /// <summary>As <see cref="Llama3"/> with single digits; text is made NFC.</summary>
    Qwen2,

    /// <summary>Words with a mark before them in place of blanks, characters; a character that it has not is its bytes.</summary>
    Sentencepiece,
}
