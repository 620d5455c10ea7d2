using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Files;
using TinyMoE.Memory;

namespace TinyMoE.Configuration;

/// <summary>One setting of a run: a property of one of <see cref="RunConfig"/>'s groups, under the name that people write.</summary>
internal sealed class ConfigKey
{
    private readonly PropertyInfo group;

    public ConfigKey(PropertyInfo group, PropertyInfo property)
    {
        this.group = group;
        Group = NameOf(group);
        Name = NameOf(property);
        Property = property;
        FormerPath = property.GetCustomAttribute<FormerKeyAttribute>()?.Path;
    }

    /// <summary>"model", "attention", "moe", "train" or "data".</summary>
    public string Group { get; }

    /// <summary>The name inside the group, "width".</summary>
    public string Name { get; }

    /// <summary>The whole name, "model.width".</summary>
    public string Path => $"{Group}.{Name}";

    /// <summary>The whole name that it had before, "model.heads", which still works; null where it never had another.</summary>
    public string? FormerPath { get; }

    public PropertyInfo Property { get; }

    /// <summary>Its value in a configuration.</summary>
    public JsonNode Get(RunConfig config) => ConfigNodes.Of(Property.GetValue(group.GetValue(config))!);

    /// <summary>Changes its value in a configuration that is being made, and that no one else has yet.</summary>
    /// <exception cref="JsonException">The value is not of the key's type.</exception>
    public void Set(RunConfig config, JsonNode? value) => Property.SetValue(group.GetValue(config), ConfigNodes.ValueOf(Type, value));

    /// <summary>What a value looks like, for messages and tables.</summary>
    public string Needs => Type switch
    {
        _ when Type == typeof(int) || Type == typeof(ulong) => "a whole number",
        _ when Type == typeof(float) => "a number",
        _ when Type == typeof(bool) => "true or false",
        _ when Type == typeof(PerLayer) => "a whole number, or a list of them",
        _ when Type == typeof(string) => "a text",
        _ when Type == typeof(LayerList) => "a list of layers, from 0, or none",
        _ when Type.IsEnum => string.Join(", ", EnumNames),
        _ => "a list of texts",
    };

    private Type Type => Property.PropertyType;

    private bool IsListOfNumbers => Type == typeof(PerLayer) || Type == typeof(LayerList);

    private IEnumerable<object> EnumValues => Enum.GetValues(Type).Cast<object>()
        .Where(value => Type.GetField(value.ToString()!)!.GetCustomAttribute<NotASettingAttribute>() is null);

    private IEnumerable<string> EnumNames => EnumValues.Select(ConfigNodes.NameOf);

    /// <summary>The name a property has in JSON, in <c>--set</c> and in the README.</summary>
    public static string NameOf(PropertyInfo property) => JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name);

    /// <summary>The checked value of what follows the = in <c>--set key=value</c>; a list is separated by commas.</summary>
    public JsonNode Read(string text) => Parse(text) is { } value ? ConfigNodes.Of(value) : throw Bad(text);

    /// <summary>The checked value of a key in a JSON file; one text is a list of one.</summary>
    public JsonNode Read(JsonNode? node)
    {
        string text = node switch
        {
            JsonArray array => string.Join(", ", array.Select(item => item?.ToJsonString() ?? "null")),
            null => "null",
            JsonObject some => some.ToJsonString(),
            _ => node.ToString(),
        };
        JsonValueKind kind = node?.GetValueKind() ?? JsonValueKind.Null;
        if (Type.IsAssignableTo(typeof(IEnumerable<string>))) // a string is one of characters
        {
            JsonNode?[] items = node is JsonArray list ? [.. list] : [node];
            return items.All(item => item?.GetValueKind() == JsonValueKind.String)
                ? new JsonArray([.. items.Select(item => item!.DeepClone())])
                : throw Bad(text);
        }

        bool fits = kind switch
        {
            JsonValueKind.Number => Type == typeof(int) || Type == typeof(ulong) || Type == typeof(float) || IsListOfNumbers,
            JsonValueKind.True or JsonValueKind.False => Type == typeof(bool) || Type.IsEnum,
            JsonValueKind.String => Type.IsEnum || Type == typeof(string),
            JsonValueKind.Array => IsListOfNumbers,
            _ => false,
        };
        return fits ? Read(text) : throw Bad(text);
    }

    private object? Parse(string text)
    {
        CultureInfo invariant = CultureInfo.InvariantCulture;
        return Type switch
        {
            _ when Type == typeof(int) => int.TryParse(text, NumberStyles.AllowLeadingSign, invariant, out int whole) ? whole : null,
            _ when Type == typeof(ulong) => ulong.TryParse(text, NumberStyles.None, invariant, out ulong whole) ? whole : null,
            _ when Type == typeof(float) =>
                float.TryParse(text, NumberStyles.Float, invariant, out float number) && float.IsFinite(number) ? number : null,
            _ when Type == typeof(bool) => bool.TryParse(text, out bool flag) ? flag : null,
            _ when Type == typeof(PerLayer) => PerLayer.Parse(text),
            _ when Type == typeof(string) => text,
            _ when Type == typeof(LayerList) => LayerList.Parse(text),
            _ when Type.IsEnum => EnumValues.FirstOrDefault(value => ConfigNodes.NameOf(value) == text),
            _ => text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        };
    }

    private TinyMoEException Bad(string text) => new(Type.IsEnum
        ? $"{Path} has no '{Excerpt.Of(text)}'; known: {Needs}"
        : $"{Path} needs {Needs}, not '{Excerpt.Of(text)}'");
}
