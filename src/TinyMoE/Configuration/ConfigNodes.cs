using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace TinyMoE.Configuration;

/// <summary>
/// Values of keys as nodes of JSON, and back. By hand, not by the library's serializer: that makes its readers and writers of these types
/// when it is first asked, which takes longer than to open a small model.
/// </summary>
internal static class ConfigNodes
{
    private static readonly Dictionary<object, string> EnumNames = []; // by member; two threads may write the same names
    private static readonly Lock Gate = new();

    /// <summary>The name of a member of an enumeration: that of its attribute, or its own in kebab-case.</summary>
    public static string NameOf(object member)
    {
        lock (Gate)
        {
            if (EnumNames.TryGetValue(member, out string? known))
                return known;
            string own = member.ToString()!;
            return EnumNames[member] = member.GetType().GetField(own)?.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()?.Name
                ?? JsonNamingPolicy.KebabCaseLower.ConvertName(own);
        }
    }

    /// <summary>A value as a node.</summary>
    public static JsonNode Of(object value) => value switch
    {
        bool flag => JsonValue.Create(flag),
        int whole => JsonValue.Create(whole),
        ulong whole => JsonValue.Create(whole),
        float number => JsonValue.Create(number),
        string text => JsonValue.Create(text),
        PerLayer { Values: [var one] } => JsonValue.Create(one),
        PerLayer several => ListOf(several.Values),
        LayerList layers => ListOf(layers.Layers),
        IEnumerable<string> texts => new JsonArray([.. texts.Select(text => (JsonNode)text)]),
        Enum => JsonValue.Create(NameOf(value)),
        _ => throw new InvalidOperationException($"No key is a {value.GetType().Name}."),
    };

    /// <summary>The value of a type that a node is.</summary>
    /// <exception cref="JsonException">The node is no such value.</exception>
    public static object ValueOf(Type type, JsonNode? node)
    {
        CultureInfo invariant = CultureInfo.InvariantCulture;
        string text = node?.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : node?.ToJsonString() ?? "null";
        bool isText = node?.GetValueKind() == JsonValueKind.String;
        return type switch
        {
            _ when type == typeof(string) && isText => text,
            _ when type.IsEnum && isText => MemberOf(type, text),
            _ when type == typeof(bool) && !isText && bool.TryParse(text, out bool flag) => flag,
            _ when type == typeof(int) && !isText && int.TryParse(text, NumberStyles.AllowLeadingSign, invariant, out int whole) => whole,
            _ when type == typeof(ulong) && !isText && ulong.TryParse(text, NumberStyles.None, invariant, out ulong whole) => whole,
            _ when type == typeof(float) && !isText && float.TryParse(text, NumberStyles.Float, invariant, out float number) => number,
            _ when type == typeof(PerLayer) => new PerLayer(node is JsonArray list ? Wholes(list) : [(int)ValueOf(typeof(int), node)]),
            _ when type == typeof(LayerList) && node is JsonArray list => new LayerList(Wholes(list)),
            _ when type.IsAssignableFrom(typeof(string[])) && node is JsonArray list =>
                list.Select(item => (string)ValueOf(typeof(string), item)).ToArray(),
            _ => throw new JsonException($"'{text}' is no {type.Name}"),
        };
    }

    private static int[] Wholes(JsonArray list) => [.. list.Select(item => (int)ValueOf(typeof(int), item))];

    private static JsonArray ListOf(IEnumerable<int> values) => [.. values.Select(value => JsonValue.Create(value))];

    private static object MemberOf(Type type, string name) =>
        Enum.GetValues(type).Cast<object>().FirstOrDefault(member => NameOf(member) == name)
        ?? throw new JsonException($"'{name}' is no {type.Name}");
}
