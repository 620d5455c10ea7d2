using System.Text;

namespace TinyMoE.Tokenizers.Training;

/// <summary>
/// The character that stands for each byte in vocabularies of byte-level encoding, as GPT-2 has them: a byte that is a visible character of
/// Latin-1 is that, the other 68 are U+0100, U+0101, ... in order.
/// </summary>
internal static class ByteLetters
{
    /// <summary>The characters by byte.</summary>
    public static IReadOnlyList<Rune> All { get; } = Make();

    private static Rune[] Make()
    {
        int hidden = 0x100;
        return
        [
            .. Enumerable.Range(0, 256).Select(value =>
                new Rune(value is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or >= 0xAE ? value : hidden++)),
        ];
    }
}
