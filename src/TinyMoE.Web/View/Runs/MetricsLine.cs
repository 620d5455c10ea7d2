using System.Text.Json;

namespace TinyMoE.Web.View.Runs;

/// <summary>One line of metrics.jsonl, as far as the pages show it: read without a tree, since there are hundreds of thousands.</summary>
internal sealed class MetricsLine
{
    private const int MostExperts = 1 << 14;

    private readonly Dictionary<string, double> numbers = [];

    private MetricsLine()
    {
    }

    /// <summary>What it is of: "train", "eval", "routing", ...</summary>
    public string Kind { get; private set; } = "";

    public int Step { get; private set; }

    public int? Layer { get; private set; }

    public string? Text { get; private set; }

    /// <summary>(E), of routing; else empty.</summary>
    public float[] Load { get; private set; } = [];

    /// <summary>A number by its name; NaN where the line has none.</summary>
    public double this[string name] => numbers.GetValueOrDefault(name, double.NaN);

    /// <summary>What a line says; null: it is no line of metrics.</summary>
    public static MetricsLine? Read(ReadOnlySpan<byte> line)
    {
        try
        {
            Utf8JsonReader json = new(line);
            MetricsLine read = new();
            if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
                return null;
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
                read.Take(ref json);
            return read.Kind.Length > 0 && json.TokenType == JsonTokenType.EndObject && !json.Read() ? read : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private void Take(ref Utf8JsonReader json)
    {
        string name = json.GetString()!;
        json.Read();
        switch (name)
        {
            case "kind":
                Kind = json.GetString() ?? "";
                break;
            case "step":
                Step = json.GetInt32();
                break;
            case "layer":
                Layer = json.TokenType == JsonTokenType.Null ? null : json.GetInt32();
                break;
            case "text" when json.TokenType == JsonTokenType.String:
                Text = json.GetString();
                break;
            case "load" when json.TokenType == JsonTokenType.StartArray:
                Load = Numbers(ref json);
                break;
            default:
                if (json.TokenType is JsonTokenType.Number or JsonTokenType.String)
                    numbers[name] = Number(ref json);
                else
                    json.Skip();
                break;
        }
    }

    private static float[] Numbers(ref Utf8JsonReader json)
    {
        List<float> read = [];
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (read.Count == MostExperts)
                throw new FormatException();
            read.Add((float)Number(ref json));
        }

        return [.. read];
    }

    /// <summary>What is not a number is a text there: "NaN", "Infinity", "-Infinity".</summary>
    private static double Number(ref Utf8JsonReader json) => json.TokenType == JsonTokenType.Number ? json.GetDouble()
        : json.GetString() switch { "Infinity" => double.PositiveInfinity, "-Infinity" => double.NegativeInfinity, _ => double.NaN };
}
