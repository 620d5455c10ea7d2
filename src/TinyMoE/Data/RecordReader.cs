using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using TinyMoE.Tokenizers;

namespace TinyMoE.Data;

/// <summary>
/// Reads JSON Lines: one record per line, <c>{"text": "...", "label": "..."}</c>, other members ignored, empty lines too. Texts follow each
/// other, each ended by \n. A label may be a number, true or false, which is called as it is written; a record without one, or with null,
/// has the label <see cref="NoLabel"/>. What is not a record is an error with its line.
/// </summary>
internal static class RecordReader
{
    /// <summary>The label of records that have none.</summary>
    public const string NoLabel = "none";

    private static readonly byte[] Mark = [0xEF, 0xBB, 0xBF];

    /// <summary>
    /// Adds the cleaned texts of a file's lines with their labels; a byte order mark is none of them. Stops behind the record that has the
    /// byte <paramref name="until"/> of what is added, and gives the number of the last line read.
    /// </summary>
    public static int Append(
        LabelledText text, ReadOnlySpan<byte> lines, string file, TextCleaning cleaning, int until = int.MaxValue,
        CancellationToken stop = default)
    {
        lines = lines[(lines.StartsWith(Mark) ? Mark.Length : 0)..];
        int number = 0, begin = text.Text.Length;
        foreach (Range range in lines.Split((byte)'\n'))
        {
            number++;
            stop.ThrowIfCancellationRequested();
            ReadOnlySpan<byte> line = lines[range];
            if (line.Trim(" \t\r"u8).IsEmpty)
                continue;
            int start = text.Text.Length;
            TextSource.RequireRoom(text.Text, line.Length, file);
            string label = Read(line, text.Text, $"{file}, line {number},");
            text.Text.Truncate(start + cleaning.CleanText(text.Text.Bytes[start..]));
            TextSource.EndLine(text.Text, start);
            text.Label(text.Text.Length, label, part: null);
            if (text.Text.Length - begin > until)
                break;
        }

        return number;
    }

    // Adds the text of a record and gives its label.
    private static string Read(ReadOnlySpan<byte> line, TextBuffer text, string where)
    {
        try
        {
            return Utf8.IsValid(line) ? Read(line, text) : throw new FormatException("it is not UTF-8");
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            string reason = e switch
            {
                JsonException json => $"it is not valid JSON at byte {json.BytePositionInLine}",
                FormatException => e.Message,
                _ => "it has half of a surrogate pair, which is no character",
            };
            throw new TinyMoEException($"{where} is not a record: {reason}; write {{\"text\": \"...\", \"label\": \"...\"}}, or take "
                + "labels from sources or files (data.labels; eval: --labels).", e);
        }
    }

    private static string Read(ReadOnlySpan<byte> line, TextBuffer text)
    {
        Utf8JsonReader json = new(line);
        json.Read();
        Require(json.TokenType == JsonTokenType.StartObject, "it is not an object");
        bool hasText = false, hasLabel = false;
        string label = NoLabel;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            bool isText = json.ValueTextEquals("text"u8), isLabel = json.ValueTextEquals("label"u8);
            json.Read();
            if (isText)
            {
                Require(!hasText, "it has two members \"text\"");
                Require(json.TokenType == JsonTokenType.String, "its \"text\" is not a text");
                int start = text.Length;
                int written = json.CopyString(text.Extend(json.ValueSpan.Length)); // never longer than with its escapes
                text.Truncate(start + written);
                hasText = true;
            }
            else if (isLabel)
            {
                Require(!hasLabel, "it has two members \"label\"");
                label = ReadLabel(json);
                hasLabel = true;
            }
            else
            {
                json.Skip();
            }
        }

        json.Read(); // throws if something follows
        Require(hasText, "it has no \"text\"");
        return label;
    }

    private static string ReadLabel(in Utf8JsonReader json)
    {
        switch (json.TokenType)
        {
            case JsonTokenType.Null:
                return NoLabel;
            case JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False:
                return Encoding.UTF8.GetString(json.ValueSpan);
            case JsonTokenType.String:
                string label = json.GetString()!;
                Require(label.Length > 0 && !label.Any(char.IsControl), "its \"label\" is empty or has control characters");
                return label;
            default:
                throw new FormatException("its \"label\" is not a text");
        }
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
            throw new FormatException(otherwise);
    }
}
