using System.Text.Json;
using TinyMoE.Backends.Cpu;

namespace TinyMoE.Benchmarks;

/// <summary>Prints a readable table, or one JSON object per line.</summary>
internal sealed class Report(bool json)
{
    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>What figures are of: the processor, the width of vectors, and the peer's kernel where there is a peer.</summary>
    public void Head(OpenBlas? peer) => Row(
        string.Join("; ", new[] { Processor.Name, Simd.Name, peer?.Description }.OfType<string>()),
        new { Kind = "machine", Processor = Processor.Name, Simd.Bits, Vectors = Simd.Name, OpenBlas = peer?.Description });

    /// <summary>A line that only people want.</summary>
    public void Note(string line)
    {
        if (!json)
            Console.WriteLine(line);
    }

    /// <summary>A result: the line of the table, or the object.</summary>
    public void Row(string line, object result) => Console.WriteLine(json ? Json(result) : line);

    /// <summary>An object in one line, with names as in the metrics of a run.</summary>
    public static string Json(object result) => JsonSerializer.Serialize(result, SnakeCase);

    /// <summary>Reads what <see cref="Json"/> wrote.</summary>
    public static T Read<T>(string json) => JsonSerializer.Deserialize<T>(json, SnakeCase)!;

    /// <summary>A number to so many decimals, right-aligned; a dash where there was no peer.</summary>
    public static string Cell(double? value, int width, int decimals) =>
        (value is { } number ? number.ToString($"F{decimals}", null) : "-").PadLeft(width);
}
