namespace TinyMoE.Tokenizers.Regexes;

/// <summary>A set of code points.</summary>
internal sealed class CharacterSet
{
    private readonly Func<int, bool> test;
    private readonly ulong low, high; // of the ASCII characters, a bit each

    /// <summary>The code points of which a test is true.</summary>
    public CharacterSet(Func<int, bool> test)
    {
        this.test = test;
        for (int i = 0; i < 64; i++)
        {
            low |= test(i) ? 1UL << i : 0;
            high |= test(64 + i) ? 1UL << i : 0;
        }
    }

    /// <summary>Whether a code point is in it.</summary>
    public bool Contains(int codePoint) => codePoint < 64 ? ((low >> codePoint) & 1) != 0
        : codePoint < 128 ? ((high >> codePoint) & 1) != 0
        : test(codePoint);

    /// <summary>All that is not in it.</summary>
    public CharacterSet Inverted() => new(codePoint => !test(codePoint));

    /// <summary>What is in both.</summary>
    public CharacterSet And(CharacterSet other) => new(codePoint => test(codePoint) && other.test(codePoint));

    /// <summary>With every character the same one in other cases.</summary>
    public CharacterSet WithCases() => new(codePoint => test(codePoint) || OtherCases(codePoint).Any(test));

    private static IEnumerable<int> OtherCases(int codePoint)
    {
        int folded = Unicode.Fold(codePoint);
        yield return folded;
        if (System.Text.Rune.IsValid(folded))
            yield return System.Text.Rune.ToUpperInvariant(new System.Text.Rune(folded)).Value;
        int special = folded switch
        {
            's' => 0x17F,
            'k' => 0x212A,
            0xE5 => 0x212B,
            0x3C9 => 0x2126,
            0x3BC => 0xB5,
            0x3C3 => 0x3C2,
            0xDF => 0x1E9E,
            _ => folded,
        };
        yield return special;
    }
}
