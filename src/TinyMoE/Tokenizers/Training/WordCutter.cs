using System.Text;
using TinyMoE.Configuration;
using TinyMoE.Tokenizers.Normalizers;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Training;

/// <summary>
/// Cuts lines into words, as the normalizer and the pre-tokenizer of a style's file do to a text that is this line. It has buffers of its
/// own: one for every thread.
/// </summary>
internal abstract class WordCutter
{
    private WordCutter()
    {
    }

    /// <summary>A cutter for a style.</summary>
    public static WordCutter Of(TokenizerStyle style) => style switch
    {
        TokenizerStyle.Gpt2 => new ByPattern(Gpt2Scanner.Pattern, composes: false),
        TokenizerStyle.Llama3 => new ByPattern(Cl100kScanner.PatternOf(@"\p{N}{1,3}"), composes: false),
        TokenizerStyle.Qwen2 => new ByPattern(Cl100kScanner.PatternOf(@"\p{N}"), composes: true),
        TokenizerStyle.Sentencepiece => new ByMark(),
        _ => throw new ArgumentOutOfRangeException(nameof(style), style, "No tokenizer has this style."),
    };

    /// <summary>Counts the words of a line, which ends in \n or with its text, in UTF-8.</summary>
    public abstract void Cut(ReadOnlySpan<byte> line, WordCounts counts);

    /// <summary>The matches of a pattern, one behind the other; perhaps after canonical composition (NFC).</summary>
    private sealed class ByPattern(string pattern, bool composes) : WordCutter
    {
        private static readonly UnicodeNormalizer Composed = new(composes: true, isCompatible: false);

        private readonly Scanner scanner = Scanner.Of(pattern) ?? throw new ArgumentException("The pattern has no scanner.");

        public override void Cut(ReadOnlySpan<byte> line, WordCounts counts)
        {
            if (composes && !Ascii.IsValid(line))
                line = Composed.Apply(new AlignedText(line, 0)).Utf8;
            for (int start = 0; start < line.Length;)
            {
                int end = scanner.Next(line, start);
                counts.Add(line[start..end]);
                start = end;
            }
        }
    }

    /// <summary>A mark before the line and in place of every blank; every mark and every line end begins a word.</summary>
    private sealed class ByMark : WordCutter
    {
        private byte[] word = new byte[64];
        private int length;

        public override void Cut(ReadOnlySpan<byte> line, WordCounts counts)
        {
            ReadOnlySpan<byte> mark = "▁"u8;
            length = 0;
            Append(mark);
            while (!line.IsEmpty)
            {
                int taken = 1;
                if (line[0] == '\n')
                {
                    Flush(counts);
                    counts.Add("\n"u8);
                }
                else if (line[0] == ' ' || line.StartsWith(mark))
                {
                    Flush(counts);
                    Append(mark);
                    taken = line[0] == ' ' ? 1 : mark.Length; // the text may have marks of its own
                }
                else
                {
                    int end = line[1..].IndexOfAny((byte)' ', (byte)'\n', mark[0]);
                    taken = end < 0 ? line.Length : end + 1;
                    Append(line[..taken]);
                }

                line = line[taken..];
            }

            Flush(counts);
        }

        private void Append(ReadOnlySpan<byte> bytes)
        {
            if (length + bytes.Length > word.Length)
                Array.Resize(ref word, Math.Max(2 * word.Length, length + bytes.Length));
            bytes.CopyTo(word.AsSpan(length));
            length += bytes.Length;
        }

        private void Flush(WordCounts counts)
        {
            if (length > 0)
                counts.Add(word.AsSpan(0, length));
            length = 0;
        }
    }
}
