using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace TinyMoE.Web.Api;

/// <summary>
/// The fields of a request. A field that is null counts as not there. Whatever nobody asked for by the end is refused by name: what a
/// request says is done, or it is told that it is not.
/// </summary>
internal sealed class Fields : IDisposable
{
    private const int Depth = 32;

    private readonly JsonDocument document;
    private readonly HashSet<string> known = [];

    private Fields(JsonDocument document) => this.document = document;

    private JsonElement Root => document.RootElement;

    /// <summary>Reads the body of a request, which must be an object of JSON.</summary>
    public static async Task<Fields> ReadAsync(HttpContext context)
    {
        if (!context.Request.HasJsonContentType())
        {
            throw new ApiError(StatusCodes.Status415UnsupportedMediaType,
                "The body must be JSON, and its type be said (Content-Type: application/json).");
        }

        JsonDocument document;
        try
        {
            JsonDocumentOptions options = new() { MaxDepth = Depth, AllowDuplicateProperties = false };
            document = await JsonDocument.ParseAsync(context.Request.Body, options, context.RequestAborted);
        }
        catch (JsonException e)
        {
            throw ApiError.Bad(null, $"The body is not JSON that can be read: {TinyMoE.Web.Text.OneLine(e.Message)}");
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object)
            return new Fields(document);
        document.Dispose();
        throw ApiError.Bad(null, "The body must be an object of JSON.");
    }

    public void Dispose() => document.Dispose();

    /// <summary>A field that is there and not null.</summary>
    public JsonElement? Find(string name)
    {
        known.Add(name);
        return Root.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    public string? Text(string name) => Find(name) is { } value ? TextOf(value, name) : null;

    public bool Flag(string name) => Find(name)?.ValueKind switch
    {
        null or JsonValueKind.False => false,
        JsonValueKind.True => true,
        _ => throw ApiError.Bad(name, $"'{name}' must be true or false."),
    };

    public int? Whole(string name, int least, int most)
    {
        if (Find(name) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= least && number <= most
            ? number : throw ApiError.Bad(name, $"'{name}' must be a whole number from {least} to {most}.");
    }

    public float? Number(string name, Predicate<double> good, string range)
    {
        if (Find(name) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && good(number)
            && float.IsFinite((float)number) ? (float)number : throw ApiError.Bad(name, $"'{name}' must be a number {range}.");
    }

    /// <summary>A seed: a whole number of 64 bits, with a sign or without.</summary>
    public ulong? Seed(string name)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out ulong seed))
            return seed;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long signed)
            ? unchecked((ulong)signed) : throw ApiError.Bad(name, $"'{name}' must be a whole number of 64 bits.");
    }

    /// <summary>A text, or a list of a few.</summary>
    public string[] Texts(string name, int most)
    {
        if (Find(name) is not { } value)
            return [];
        string[] texts = value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Take(most + 1).Select(item => TextOf(item, name))] : [TextOf(value, name)];
        return texts.Length <= most && !texts.Contains("") ? texts
            : throw ApiError.Bad(name, $"'{name}' must be a text, or a list of at most {most}, and none may be empty.");
    }

    /// <summary>Refuses a field unless it says what is so anyway.</summary>
    public void Refuse(string name, Predicate<JsonElement> isNothing, string why)
    {
        if (Find(name) is { } value && !isNothing(value))
            throw ApiError.Unsupported(name, why);
    }

    /// <summary>Fields of OpenAI's that do not change what is computed.</summary>
    public void Ignore(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            known.Add(name);
    }

    /// <summary>Refuses what nobody asked for.</summary>
    public void RefuseOthers()
    {
        foreach (JsonProperty field in Root.EnumerateObject())
        {
            if (!known.Contains(field.Name))
                throw ApiError.Bad(TinyMoE.Web.Text.OneLine(field.Name), $"'{TinyMoE.Web.Text.OneLine(field.Name)}' is no field that this "
                    + "server knows.", "unknown_parameter");
        }
    }

    /// <summary>A text in its field.</summary>
    public static string TextOf(JsonElement value, string name)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw ApiError.Bad(name, $"'{name}' must be a text.");
        }
        catch (InvalidOperationException)
        {
            throw ApiError.Bad(name, $"'{name}' holds half of a surrogate pair, which is no text.");
        }
    }
}
