using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace TinyMoE.Tokenizers;

/// <summary>What becomes of the bytes of a text before a tokenizer cuts them.</summary>
public abstract class TextCleaning
{
    /// <summary>Every byte counts: a text stays as it is, and may be anything.</summary>
    public static TextCleaning None { get; } = new NoCleaning();

    /// <summary>Text is UTF-8 in lines: a byte order mark goes, \r\n becomes \n, and a file ends with \n.</summary>
    public static TextCleaning Lines { get; } = new LineCleaning();

    /// <summary>Text is UTF-8 and every character of it counts, \r too; only a byte order mark at the start of a file goes.</summary>
    public static TextCleaning Characters { get; } = new CharacterCleaning();

    private TextCleaning()
    {
    }

    /// <summary>Whether every file ends with \n.</summary>
    public abstract bool EndsFiles { get; }

    /// <summary>Cleans the contents of a file in place; gives the length that is left.</summary>
    /// <exception cref="TinyMoEException">It is not the text that the tokenizer needs; <paramref name="where"/> names the file.</exception>
    public int CleanFile(Span<byte> content, string where) => CleanFile(content, where, _ => { });

    /// <summary>Cleans as above, and tells what it found.</summary>
    internal abstract int CleanFile(Span<byte> content, string where, Action<TextFlaw> found);

    /// <summary>Cleans a piece of text that is known to be UTF-8, such as a record, in place; gives the length that is left.</summary>
    public abstract int CleanText(Span<byte> text);

    /// <summary>Makes \n of every \r of a text that has no \n; tells whether there was any.</summary>
    internal static bool EndLinesByLineFeed(Span<byte> text)
    {
        if (!text.Contains((byte)'\r') || text.Contains((byte)'\n'))
            return false;
        text.Replace((byte)'\r', (byte)'\n');
        return true;
    }

    /// <summary>Leaves a text as it is.</summary>
    private sealed class NoCleaning : TextCleaning
    {
        public override bool EndsFiles => false;

        internal override int CleanFile(Span<byte> content, string where, Action<TextFlaw> found) => content.Length;

        public override int CleanText(Span<byte> text) => text.Length;
    }

    /// <summary>Makes sure that it is UTF-8.</summary>
    private class CharacterCleaning : TextCleaning
    {
        private static readonly byte[] Mark = [0xEF, 0xBB, 0xBF];

        public override bool EndsFiles => true;

        internal override int CleanFile(Span<byte> content, string where, Action<TextFlaw> found)
        {
            if (WideText.EncodingOf(content) is { } encoding)
            {
                throw new TinyMoEException($"{where} is not UTF-8 text but looks like {encoding}: {WideText.Remedy(encoding)}, leave it "
                    + "out with a glob such as folder/**/*.txt, or use --tokenizer byte.");
            }

            if (!Utf8.IsValid(content))
            {
                int invalid = FirstInvalid(content);
                if (Rune.DecodeFromUtf8(content[invalid..], out _, out _) != OperationStatus.NeedMoreData)
                {
                    throw new TinyMoEException($"{where} is not UTF-8 text at byte {invalid}: convert it, leave it out with a "
                        + "glob such as folder/**/*.txt, or use --tokenizer byte.");
                }

                content = content[..invalid];
                found(TextFlaw.CutCharacter);
            }

            int mark = content.StartsWith(Mark) ? Mark.Length : 0;
            content[mark..].CopyTo(content);
            return content.Length - mark;
        }

        public override int CleanText(Span<byte> text) => text.Length;

        private static int FirstInvalid(ReadOnlySpan<byte> content)
        {
            int at = 0;
            while (Rune.DecodeFromUtf8(content[at..], out _, out int length) == OperationStatus.Done)
                at += length;
            return at;
        }
    }

    /// <summary>Makes every line end with \n.</summary>
    private sealed class LineCleaning : CharacterCleaning
    {
        internal override int CleanFile(Span<byte> content, string where, Action<TextFlaw> found)
        {
            content = content[..base.CleanFile(content, where, found)];
            if (EndLinesByLineFeed(content))
                found(TextFlaw.OldLineEnds);
            int length = CleanText(content);
            if (content[..length].Contains((byte)'\r'))
                found(TextFlaw.StrayReturns);
            return length;
        }

        public override int CleanText(Span<byte> text)
        {
            int to = 0;
            for (int from = 0; from < text.Length; from++)
            {
                if (text[from] != '\r' || from + 1 == text.Length || text[from + 1] != '\n')
                    text[to++] = text[from];
            }

            return to;
        }
    }
}
