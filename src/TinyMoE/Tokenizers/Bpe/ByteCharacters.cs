using System.Text;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>
/// The characters by which byte-level tokenizers write bytes: 21-7E, A1-AC and AE-FF stand for themselves, the other 68 bytes in order are
/// U+0100 and those after it, so that a space is "Ġ".
/// </summary>
internal static class ByteCharacters
{
    private static readonly char[] Characters = Build();
    private static readonly short[] Bytes = Invert();
    private static readonly byte[][] Utf8 = [.. Characters.Select(character => Encoding.UTF8.GetBytes([character]))];

    /// <summary>The character of a byte.</summary>
    public static char Of(byte value) => Characters[value];

    /// <summary>The character of a byte in UTF-8.</summary>
    public static ReadOnlySpan<byte> Utf8Of(byte value) => Utf8[value];

    /// <summary>The byte of a character; -1: it stands for none.</summary>
    public static int ByteOf(int codePoint) => codePoint < Bytes.Length ? Bytes[codePoint] : -1;

    /// <summary>The bytes that a token's characters stand for; null where one of them stands for none.</summary>
    public static byte[]? BytesOf(string token)
    {
        byte[] bytes = new byte[token.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            int value = ByteOf(token[i]);
            if (value < 0)
                return null;
            bytes[i] = (byte)value;
        }

        return bytes;
    }

    /// <summary>Bytes as a token writes them.</summary>
    public static string TextOf(ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new(bytes.Length);
        foreach (byte value in bytes)
            text.Append(Characters[value]);
        return text.ToString();
    }

    private static char[] Build()
    {
        char[] characters = new char[256];
        int next = 0x100;
        for (int value = 0; value < characters.Length; value++)
            characters[value] = value is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)value : (char)next++;
        return characters;
    }

    private static short[] Invert()
    {
        short[] bytes = new short[Characters.Max() + 1];
        Array.Fill<short>(bytes, -1);
        for (int value = 0; value < Characters.Length; value++)
            bytes[Characters[value]] = (short)value;
        return bytes;
    }
}
