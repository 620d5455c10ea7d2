using System.Globalization;
using System.Text;
using TinyMoE.Tokenizers.Bpe;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Decoders;

/// <summary>Writes the text down.</summary>
internal sealed class TextStep : TokenStep
{
    private readonly StringBuilder text = new();

    public override void Push(ReadOnlySpan<char> text, bool begins, bool ends) => this.text.Append(text);

    public override void Finish()
    {
    }

    /// <summary>What was written since the last call.</summary>
    public string Take()
    {
        string taken = text.ToString();
        text.Clear();
        return taken;
    }
}

/// <summary>Without a decoder tokens are told apart by a space.</summary>
internal sealed class SpacedStep : TokenStep
{
    private bool isFirst = true;

    public override void Push(ReadOnlySpan<char> text, bool begins, bool ends)
    {
        if (begins && !isFirst)
            Give(" ", true, true);
        isFirst = false;
        Give(text, begins, ends);
    }
}

/// <summary><c>Fuse</c>: makes one token of all.</summary>
internal sealed class FuseStep : TokenStep
{
    private bool isFirst = true;

    public override void Push(ReadOnlySpan<char> text, bool begins, bool ends)
    {
        Give(text, isFirst, false);
        isFirst = false;
    }

    public override void Finish()
    {
        Give([], isFirst, true);
        Next!.Finish();
    }
}

/// <summary>
/// <c>ByteLevel</c>: makes one token of the bytes that the characters of all stand for; a token with another character is taken as it is.
/// </summary>
internal sealed class ByteLevelStep : TokenStep
{
    private readonly StringBuilder token = new();
    private readonly Decoder decoder = Encoding.UTF8.GetDecoder();
    private bool isFirst = true;

    public override void Push(ReadOnlySpan<char> text, bool begins, bool ends)
    {
        if (begins)
            token.Clear();
        token.Append(text);
        if (!ends)
            return;
        string whole = token.ToString();
        Decode(ByteCharacters.BytesOf(whole) ?? Encoding.UTF8.GetBytes(whole), isLast: false);
        isFirst = false;
    }

    public override void Finish()
    {
        Decode([], isLast: true);
        Next!.Finish();
    }

    private void Decode(ReadOnlySpan<byte> bytes, bool isLast)
    {
        char[] text = new char[Encoding.UTF8.GetMaxCharCount(bytes.Length)]; // with what an unfinished character before can become
        Give(text.AsSpan(0, decoder.GetChars(bytes, text, isLast)), isFirst, isLast);
    }
}

/// <summary>
/// <c>ByteFallback</c>: tokens such as <c>&lt;0xE2&gt;</c> become text together, or U+FFFD each if they are no text.
/// </summary>
internal sealed class ByteFallbackStep : TokenStep
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly StringBuilder token = new();
    private readonly List<byte> run = [];

    public override void Push(ReadOnlySpan<char> text, bool begins, bool ends)
    {
        if (begins)
            token.Clear();
        token.Append(text);
        if (!ends)
            return;
        string whole = token.ToString();
        if (ByteOf(whole) is >= 0 and int value)
        {
            run.Add((byte)value);
            return;
        }

        GiveRun();
        Give(whole, true, true);
    }

    public override void Finish()
    {
        GiveRun();
        Next!.Finish();
    }

    /// <summary>The byte that a token is the number of; -1: it is none.</summary>
    public static int ByteOf(ReadOnlySpan<char> token)
    {
        if (token is not ['<', '0', 'x', _, _, '>'])
            return -1;
        // "+F" is a number to Rust.
        ReadOnlySpan<char> digits = token[3] == '+' ? token[4..5] : token[3..5];
        return byte.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value) ? value : -1;
    }

    private void GiveRun()
    {
        if (run.Count == 0)
            return;
        try
        {
            Give(Strict.GetString([.. run]), true, true);
        }
        catch (DecoderFallbackException)
        {
            foreach (byte _ in run)
                Give("\uFFFD", true, true);
        }

        run.Clear();
    }
}

/// <summary><c>Metaspace</c>: a space for every "▁"; those of the first token go, as they were put there.</summary>
internal sealed class MetaspaceStep(Rune replacement, bool dropsFirst) : TokenStep
{
    private readonly string written = replacement.ToString();
    private bool isFirst = true;

    public override void Push(ReadOnlySpan<char> text, bool begins, bool ends)
    {
        Give(text.ToString().Replace(written, isFirst && dropsFirst ? "" : " ", StringComparison.Ordinal), begins, ends);
        isFirst &= !ends;
    }
}

/// <summary><c>Strip</c>: takes up to so many of a character off the start and the end of every token.</summary>
internal sealed class StripStep(Rune content, int start, int stop) : TokenStep
{
    private readonly StringBuilder kept = new(); // of a token that may be at its end, where there is something to take off
    private readonly string character = content.ToString();
    private int toStrip;
    private bool isBegun; // whether a part of this token was given on

    public override void Push(ReadOnlySpan<char> text, bool begins, bool ends)
    {
        if (begins)
            (toStrip, isBegun) = (start, false);
        while (toStrip > 0 && text.StartsWith(character, StringComparison.Ordinal))
        {
            text = text[character.Length..];
            toStrip--;
        }

        if (text.Length > 0)
            toStrip = 0;
        kept.Append(text);
        int give = kept.Length;
        int most = stop;
        string held = kept.ToString();
        while (most > 0 && held.AsSpan(0, give).EndsWith(character, StringComparison.Ordinal))
        {
            give -= character.Length;
            most--;
        }

        Give(held.AsSpan(0, give), !isBegun, ends);
        isBegun = true;
        kept.Remove(0, ends ? kept.Length : give);
    }
}

/// <summary><c>Replace</c>: in every token, what a pattern matches becomes another text.</summary>
internal sealed class ReplaceStep(IPattern pattern, string content, int characters) : TokenStep
{
    private readonly StringBuilder kept = new(); // of a token that goes on, where a match may yet be
    private bool isBegun;

    public override void Push(ReadOnlySpan<char> text, bool begins, bool ends)
    {
        if (begins)
        {
            kept.Clear();
            isBegun = false;
        }

        kept.Append(text);
        if (!ends && characters == 0)
            return;
        byte[] utf8 = Encoding.UTF8.GetBytes(kept.ToString());
        StringBuilder replaced = new();
        Matches matches = new(pattern, utf8);
        int copied = 0;
        while (matches.Next(out int start, out int end))
        {
            replaced.Append(Encoding.UTF8.GetString(utf8.AsSpan(copied..start))).Append(content);
            copied = end;
        }

        string rest = Encoding.UTF8.GetString(utf8.AsSpan(copied));
        int hold = ends ? 0 : Math.Min(rest.Length, characters - 1);
        if (hold > 0 && hold < rest.Length && char.IsLowSurrogate(rest[^hold]))
            hold++;
        replaced.Append(rest.AsSpan(0, rest.Length - hold));
        Give(replaced.ToString(), !isBegun, ends);
        isBegun = true;
        kept.Clear().Append(rest.AsSpan(rest.Length - hold));
    }
}
