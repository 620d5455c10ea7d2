using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Inspect;

namespace TinyMoE.App;

/// <summary>The summary of a trace as a file, and for pages.</summary>
internal static class TraceSummaryJson
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    /// <summary>The summary and the saturation of a result.</summary>
    public static string Of(TraceResult result)
    {
        JsonObject root = new()
        {
            ["kind"] = "trace_summary",
            ["step"] = result.Step,
            ["tokens"] = result.Tokens,
            ["loss"] = double.IsFinite(result.Loss) ? result.Loss : null,
            ["kinds"] = new JsonArray([.. Enum.GetNames<TokenKind>().Select(name =>
                (JsonNode?)JsonNamingPolicy.SnakeCaseLower.ConvertName(name))]),
            ["domains"] = JsonSerializer.SerializeToNode(result.Summary!.Domains, Format),
            ["layers"] = JsonSerializer.SerializeToNode(result.Summary.Layers, Format),
            ["saturation"] = JsonSerializer.SerializeToNode(result.Saturation, Format),
            ["similarity"] = JsonSerializer.SerializeToNode(result.Similarity, Format),
        };
        return root.ToJsonString(Format) + "\n";
    }
}
