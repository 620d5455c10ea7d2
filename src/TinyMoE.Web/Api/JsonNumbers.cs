using System.Text.Json;

namespace TinyMoE.Web.Api;

/// <summary>Numbers of JSON, read and written.</summary>
internal static class JsonNumbers
{
    /// <summary>Whether it is a whole number of 32 bits.</summary>
    public static bool TryGetWhole(this JsonElement value, out int number)
    {
        number = 0;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out number);
    }

    public static void WriteNumberOrNull(this Utf8JsonWriter json, double? value)
    {
        if (value is { } number)
            json.WriteNumberValue(number);
        else
            json.WriteNullValue();
    }
}
