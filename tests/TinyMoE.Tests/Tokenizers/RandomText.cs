using System.Globalization;
using System.Text;

namespace TinyMoE.Tests.Tokenizers;

/// <summary>Texts in which every kind of character occurs, beyond the basic plane too, and what tokenizers look at often.</summary>
internal static class RandomText
{
    private static readonly string[] Frequent =
    [
        "'s", "'S", "'\u017F", "'LL", "'re", "'Ve", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u00A0", "\u3000", "\u0085", "\u200B",
            "a", "B", "\u00E9", "\u01C5",
        "1", "12", "1234", "\u00B2", "!", "?!", "...", "\u4E2D\u6587", "\uD55C\uAE00", "\u0928\u092E\u0938\u094D\u0924\u0947",
            "\U0001F600", "e\u0301",
        "\u0130", "\u2581", "/", "_", "\u2028", "\0", "the", " the", " and", "ing", "Hello", " World", "don't", "<|endoftext|>", "</s>",
    ];

    private static readonly int[][] Categories =
    [
        .. Enumerable.Range(0, 0x110000).Where(value => Rune.IsValid(value))
            .GroupBy(value => CharUnicodeInfo.GetUnicodeCategory(value)).Select(group => group.ToArray()),
    ];

    /// <summary>A text of up to so many parts.</summary>
    public static string Next(Random random, int most = 40)
    {
        StringBuilder text = new();
        for (int i = random.Next(1, most); i > 0; i--)
        {
            int[] category = Categories[random.Next(Categories.Length)];
            text.Append(random.Next(4) > 0 ? Frequent[random.Next(Frequent.Length)]
                : char.ConvertFromUtf32(category[random.Next(category.Length)]));
        }

        return text.ToString();
    }
}
