using System.Text;
using TinyMoE.Tokenizers.Decoders;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>The bytes of the text that a token stands for, so that losses can be told in bits per byte.</summary>
internal static class TokenBytes
{
    /// <summary>What a token of the model stands for inside of a text.</summary>
    public static byte[] Of(string token, Pipeline pipeline)
    {
        if (pipeline.Model.WritesBytes)
            return ByteCharacters.BytesOf(token) ?? Encoding.UTF8.GetBytes(token);
        if (pipeline.Model.HasByteTokens && ByteFallbackStep.ByteOf(token) is >= 0 and int value)
            return [(byte)value];
        return Encoding.UTF8.GetBytes(pipeline.Model.HasMeta ? token.Replace('▁', ' ') : token);
    }
}
