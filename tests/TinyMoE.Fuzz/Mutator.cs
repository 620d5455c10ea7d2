using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;

namespace TinyMoE.Fuzz;

/// <summary>Changes inputs at random: their bytes, their words of JSON, and parts of others put into them.</summary>
internal sealed partial class Mutator(Random random)
{
    private const int MostChanges = 4, MostBytes = 1 << 16;

    private static readonly string[] Values =
    [
        "null", "true", "false", "0", "-0", "1", "-1", "1.0", "1e0", "0.1", "-0.5", "1e-400", "1e999", "-1e999", "NaN",
        "Infinity", "255", "256", "65536", "2147483647", "2147483648", "-2147483648", "4294967296", "9007199254740993",
        "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e19", "00", "0x10", "1.", ".5",
        "+1", "\"\"", "\"a\"", "\"\\ud800\"", "\"\\udc00x\"", "\"\\ud83d\\ude00\"", "\"\\u0000\"", "\"\\n\"", "\"\\u2028\"",
        "\"\\u001b[31m\"", "\"F32\"", "\"BF16\"", "\"char\"", "\"byte\"", "\"F64\"",
        "[]", "{}", "[0]", "[null]", "[0,0]", "[0,4]", "[2147483648,2147483648]", "[[]]", "{\"a\":1}", "/**/1", "1,", "\"\u0085\"",
    ];

    /// <summary>A changed copy of an input; <paramref name="others"/> are inputs of the same kind.</summary>
    public byte[] Mutate(byte[] input, IReadOnlyList<byte[]> others)
    {
        byte[] changed = input;
        for (int i = random.Next(2) == 0 ? 1 : random.Next(1, MostChanges + 1); i > 0; i--)
            changed = Change(changed, others);
        return changed.Length <= MostBytes ? changed : changed[..MostBytes];
    }

    private byte[] Change(byte[] input, IReadOnlyList<byte[]> others) => random.Next(10) switch
    {
        0 => FlipBits(input),
        1 => ReplaceBytes(input),
        2 => Cut(input),
        3 => Splice(input, others[random.Next(others.Count)]),
        4 => PutNumber(input),
        _ => ChangeJson(input),
    };

    private byte[] FlipBits(byte[] input)
    {
        if (input.Length == 0)
            return [0];
        byte[] changed = [.. input];
        for (int i = random.Next(1, 4); i > 0; i--)
            changed[random.Next(changed.Length)] ^= (byte)(1 << random.Next(8));
        return changed;
    }

    private byte[] ReplaceBytes(byte[] input)
    {
        (int from, int to) = Range(input.Length, 8);
        byte[] put = new byte[random.Next(0, 9)];
        random.NextBytes(put);
        return [.. input[..from], .. put, .. input[to..]];
    }

    private byte[] Cut(byte[] input)
    {
        (int from, int to) = Range(input.Length, Math.Max(1, input.Length / 2));
        return random.Next(3) switch
        {
            0 => input[..from],
            1 => [.. input[..from], .. input[to..]],
            _ => [.. input[..to], .. input[from..]], // twice
        };
    }

    private byte[] Splice(byte[] input, byte[] other)
    {
        (int from, int to) = Range(other.Length, Math.Max(1, other.Length));
        int at = random.Next(input.Length + 1);
        return [.. input[..at], .. other[from..to], .. random.Next(2) == 0 ? [] : input[at..]];
    }

    /// <summary>A number of 8 bytes at the front, where a header's length is, or anywhere.</summary>
    private byte[] PutNumber(byte[] input)
    {
        if (input.Length < 8)
            return FlipBits(input);
        byte[] changed = [.. input];
        int at = random.Next(2) == 0 ? 0 : random.Next(changed.Length - 7);
        long was = BinaryPrimitives.ReadInt64LittleEndian(changed.AsSpan(at));
        long[] numbers =
            [0, 1, -1, was + 1, was - 1, was + 8, changed.Length, changed.Length - 8, long.MaxValue, long.MinValue, 100_000_000];
        BinaryPrimitives.WriteInt64LittleEndian(changed.AsSpan(at), numbers[random.Next(numbers.Length)]);
        return changed;
    }

    /// <summary>Changes words of JSON; in a safetensors file those of the header, whose length is then put right, mostly.</summary>
    private byte[] ChangeJson(byte[] input)
    {
        if (input.Length > 8 && input[8] == '{' && BinaryPrimitives.ReadInt64LittleEndian(input) is long length
            && length > 0 && length <= input.Length - 8)
        {
            byte[] header = ChangeText(input[8..(8 + (int)length)]), lengthBytes = input[..8];
            if (random.Next(10) > 0)
                BinaryPrimitives.WriteInt64LittleEndian(lengthBytes, header.Length);
            return [.. lengthBytes, .. header, .. input[(8 + (int)length)..]];
        }

        return ChangeText(input);
    }

    private byte[] ChangeText(byte[] input)
    {
        string text = Encoding.Latin1.GetString(input); // a character per byte, so that nothing else changes
        MatchCollection words = Words().Matches(text);
        if (words.Count == 0)
            return FlipBits(input);
        Match word = words[random.Next(words.Count)], another = words[random.Next(words.Count)];
        string value = Value();
        string put = random.Next(16) switch
        {
            0 => "",
            1 => word.Value + word.Value,
            2 => another.Value,
            3 => Nested(word.Value),
            4 => $"{value},{word.Value}",
            5 => $"{word.Value}:{value},{word.Value}", // a member twice
            6 => word.Value.Length > 2 && word.Value[0] == '"' ? word.Value[..^1] + Escape() + '"' : value,
            7 => value,
            _ => OfTheKind(word.Value, words),
        };
        return Encoding.Latin1.GetBytes(text[..word.Index] + put + text[(word.Index + word.Length)..]);
    }

    private string Value()
    {
        string value = random.Next(6) == 0 ? random.NextInt64(-10, 300).ToString(System.Globalization.CultureInfo.InvariantCulture)
            : Values[random.Next(Values.Length)];
        return Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(value));
    }

    /// <summary>Another word of the same kind, so that most of the file still says something.</summary>
    private string OfTheKind(string word, MatchCollection words)
    {
        if (char.IsAsciiDigit(word[^1]))
        {
            string[] numbers = [.. Values.Where(value => char.IsAsciiDigit(value[^1])), "2", "3", "4", "6", "8", "12", "16", "64", "65536"];
            return numbers[random.Next(numbers.Length)];
        }

        string[] same = [.. words.Select(match => match.Value).Where(value => value[0] == word[0] || (word is "true" && value is "false"))];
        return word is "true" or "false" ? (random.Next(2) == 0 ? "true" : "false") : same[random.Next(same.Length)];
    }

    private string Escape()
    {
        string[] escapes =
        [
            "\\n", "\\ud800", "\\u0000", "\\u2029", "\\/", "\\x", "\n", "\\\"", "\\u00e9", "é", "\\ud83d\\ude00",
            new string('a', 3000),
        ];
        return Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(escapes[random.Next(escapes.Length)]));
    }

    private string Nested(string value)
    {
        int depth = random.Next(4) == 0 ? random.Next(60, 5000) : random.Next(1, 70);
        return random.Next(2) == 0 ? new string('[', depth) + value + new string(']', depth)
            : string.Concat(Enumerable.Repeat("{\"a\":", depth)) + value + new string('}', depth);
    }

    private (int From, int To) Range(int length, int longest)
    {
        int from = random.Next(length + 1);
        return (from, Math.Min(length, from + random.Next(longest + 1)));
    }

    [GeneratedRegex(@"""(?:\\.|[^""\\])*""|-?[0-9][0-9.eE+-]*|true|false|null|[\[\]{}:,]", RegexOptions.Singleline)]
    private static partial Regex Words();
}
