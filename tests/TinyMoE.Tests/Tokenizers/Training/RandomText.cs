using System.Text;

namespace TinyMoE.Tests.Tokenizers.Training;

/// <summary>Texts of all kinds of characters: what tokenizers are compared on.</summary>
internal static class RandomText
{
    private static readonly string[] Pieces =
    [
        " ", "  ", "\n", "\n\n", "\t", "\r\n", "the", "The cat", "don't", "WE'LL", "12345", "3.14", "naïve",
        "e\u0301", "Å\u0327", "中文字", "日本",
        "🙂", "👩‍💻", "▁", "▁x", "\u00A0", "\u2003", "—", "...", "!?", "x=1;", "_", "\u0000",
        "ǅ", "²³", "Ⅷ", "𝒳𝒴", "\uFFFD", "ﬁ", "한글", "\u1112\u1161",
    ];

    /// <summary>A text of some hundred pieces.</summary>
    public static string Of(int seed)
    {
        Random random = new(seed);
        StringBuilder text = new();
        for (int i = random.Next(1, 300); i > 0; i--)
        {
            if (random.Next(10) == 0)
                text.Append(Character(random).ToString());
            else
                text.Append(Pieces[random.Next(Pieces.Length)]);
        }

        return text.ToString();
    }

    private static Rune Character(Random random)
    {
        Rune character;
        while (!Rune.TryCreate(random.Next(0x20000), out character))
        {
        }

        return character;
    }
}
