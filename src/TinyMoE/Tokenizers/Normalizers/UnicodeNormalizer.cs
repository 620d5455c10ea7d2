using System.Text;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Normalizers;

/// <summary>NFD, NFC, NFKD or NFKC: one way to write each character (Unicode Standard Annex 15).</summary>
internal sealed class UnicodeNormalizer(bool composes, bool isCompatible) : Normalizer
{
    // Below, nothing changes: what is composed stays so, and no mark comes before.
    private readonly int firstOfInterest = (composes, isCompatible) switch { (true, false) => 0x300, (_, true) => 0xA0, _ => 0xC0 };

    public override bool WorksByLine => true;

    public override AlignedText Apply(AlignedText text)
    {
        if (!MayChange(text.Utf8))
            return text;
        AlignedText.Builder builder = new(text.Length);
        List<Part> buffer = []; // a character and the marks on it
        Span<int> hangul = stackalloc int[3];
        ReadOnlySpan<byte> utf8 = text.Utf8;
        for (int at = 0, length; at < utf8.Length; at += length)
        {
            int codePoint = Unicode.At(utf8, at, out length);
            (int start, int end) = (text.StartOf(at), text.EndOf(at));
            ReadOnlySpan<int> parts = Decompositions.Of(codePoint, isCompatible, hangul);
            if (parts.IsEmpty)
                Add(new Part(codePoint, Decompositions.ClassOf(codePoint), start, end), buffer, builder);
            foreach (int part in parts)
                Add(new Part(part, Decompositions.ClassOf(part), start, end), buffer, builder);
        }

        Finish(buffer);
        Write(buffer, builder);
        return builder.ToText();
    }

    private bool MayChange(ReadOnlySpan<byte> utf8)
    {
        if (Ascii.IsValid(utf8))
            return false;
        for (int at = 0, length; at < utf8.Length; at += length)
        {
            if (Unicode.At(utf8, at, out length) >= firstOfInterest)
                return true;
        }

        return false;
    }

    private void Add(Part part, List<Part> buffer, AlignedText.Builder builder)
    {
        if (part.Class == 0 && buffer.Count > 0)
        {
            Finish(buffer);
            if (composes && buffer.Count == 1 && Decompositions.Compose(buffer[0].CodePoint, part.CodePoint) is >= 0 and int composed)
            {
                buffer[0] = buffer[0] with { CodePoint = composed };
                return;
            }

            Write(buffer, builder);
        }

        buffer.Add(part);
    }

    // Marks in the order of their classes, then each put together with the character, unless one of its class or above stays before it.
    private void Finish(List<Part> buffer)
    {
        if (buffer.Count < 2)
            return;
        Part[] ordered = [.. buffer.Take(buffer[0].Class == 0 ? 1 : 0), .. buffer.Skip(buffer[0].Class == 0 ? 1 : 0).OrderBy(part => part.Class)];
        buffer.Clear();
        foreach (Part part in ordered)
        {
            bool isBlocked = buffer.Count > 1 && buffer[^1].Class >= part.Class;
            if (composes && !isBlocked && buffer.Count > 0 && buffer[0].Class == 0
                && Decompositions.Compose(buffer[0].CodePoint, part.CodePoint) is >= 0 and int composed)
                buffer[0] = buffer[0] with { CodePoint = composed };
            else
                buffer.Add(part);
        }
    }

    private static void Write(List<Part> buffer, AlignedText.Builder builder)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Part part in buffer)
        {
            int length = new Rune(part.CodePoint).EncodeToUtf8(utf8);
            builder.Add(utf8[..length], part.Start, part.End);
        }

        buffer.Clear();
    }

    private readonly record struct Part(int CodePoint, int Class, int Start, int End);
}
