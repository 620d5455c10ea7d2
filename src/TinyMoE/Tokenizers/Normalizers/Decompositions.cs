using System.Globalization;

namespace TinyMoE.Tokenizers.Normalizers;

/// <summary>
/// What characters are made of, for the normalization forms (Unicode Standard Annex 15). .NET's own normalization does nothing where
/// globalization is invariant, as it is in TinyMoE.
/// </summary>
internal static class Decompositions
{
    private const int HangulFirst = 0xAC00, Leads = 0x1100, Vowels = 0x1161, Trails = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TrailCount = 28, HangulCount = LeadCount * VowelCount * TrailCount;

    private static readonly Dictionary<int, byte> Classes = [];
    private static readonly Dictionary<int, int[]> Canonical = [];
    private static readonly Dictionary<int, int[]> Compatible = []; // with the canonical ones, in all steps
    private static readonly Dictionary<(int First, int Second), int> Compositions = [];

    static Decompositions()
    {
        string name = typeof(Decompositions).Namespace + ".decompositions.txt";
        using StreamReader lines = new(typeof(Decompositions).Assembly.GetManifestResourceStream(name)!);
        Dictionary<int, int[]> canonical = [], compatible = [];
        while (lines.ReadLine() is { } line)
        {
            int kind = line.AsSpan().IndexOfAny("=!~");
            if (line[0] == '#')
                continue;
            if (kind < 0)
            {
                string[] range = line.Split(' ');
                for (int codePoint = Hex(range[1]); codePoint <= Hex(range[2]); codePoint++)
                    Classes[codePoint] = byte.Parse(range[0], CultureInfo.InvariantCulture);
                continue;
            }

            int composed = Hex(line.AsSpan(0, kind));
            int[] parts = [.. line[(kind + 1)..].Split(' ').Select(part => Hex(part))];
            (line[kind] == '~' ? compatible : canonical)[composed] = parts;
            if (line[kind] == '=')
                Compositions[(parts[0], parts[1])] = composed;
        }

        foreach (int codePoint in canonical.Keys)
            Canonical[codePoint] = Whole(codePoint, canonical, []);
        foreach (int codePoint in canonical.Keys.Concat(compatible.Keys))
            Compatible[codePoint] = Whole(codePoint, canonical, compatible);
    }

    /// <summary>The canonical combining class; 0: a character that marks follow.</summary>
    public static int ClassOf(int codePoint) => codePoint < 0x300 ? 0 : Classes.GetValueOrDefault(codePoint);

    /// <summary>The parts of a character in all steps; none where it is its own.</summary>
    public static ReadOnlySpan<int> Of(int codePoint, bool isCompatible, Span<int> hangul)
    {
        int syllable = codePoint - HangulFirst;
        if ((uint)syllable >= HangulCount)
            return (isCompatible ? Compatible : Canonical).GetValueOrDefault(codePoint);
        hangul[0] = Leads + syllable / (VowelCount * TrailCount);
        hangul[1] = Vowels + syllable % (VowelCount * TrailCount) / TrailCount;
        hangul[2] = Trails + syllable % TrailCount;
        return hangul[..(hangul[2] == Trails ? 2 : 3)];
    }

    /// <summary>What two characters together are; -1: nothing.</summary>
    public static int Compose(int first, int second)
    {
        int lead = first - Leads, vowel = second - Vowels, trail = second - Trails;
        if ((uint)lead < LeadCount && (uint)vowel < VowelCount)
            return HangulFirst + (lead * VowelCount + vowel) * TrailCount;
        if ((uint)(first - HangulFirst) < HangulCount && (first - HangulFirst) % TrailCount == 0 && trail is > 0 and < TrailCount)
            return first + trail;
        return Compositions.GetValueOrDefault((first, second), -1);
    }

    private static int[] Whole(int codePoint, Dictionary<int, int[]> canonical, Dictionary<int, int[]> compatible)
    {
        int[]? parts = canonical.GetValueOrDefault(codePoint) ?? compatible.GetValueOrDefault(codePoint);
        return parts == null ? [codePoint] : [.. parts.SelectMany(part => Whole(part, canonical, compatible))];
    }

    private static int Hex(ReadOnlySpan<char> digits) => int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
