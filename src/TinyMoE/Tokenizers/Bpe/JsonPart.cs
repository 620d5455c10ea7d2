using System.Text;
using System.Text.Json;
using TinyMoE.Files;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>A part of a JSON file that knows where it is, so that what is wrong with it can be told in one line.</summary>
internal readonly struct JsonPart(JsonElement element, string path, string parent, int index = -1, string? name = null)
{
    private const int LongestName = 40;

    // Said only when it is asked for: a vocabulary has some hundred thousand parts.
    private string Place => index >= 0 ? $"{parent}[{index}]"
        : name == null ? parent
        : parent.Length == 0 ? Excerpt.Of(name, LongestName)
        : $"{parent}.{Excerpt.Of(name, LongestName)}";

    /// <summary>The part.</summary>
    public JsonElement Element => element;

    /// <summary>The kind of the part.</summary>
    public JsonValueKind Kind => element.ValueKind;

    /// <summary>Whether it is null.</summary>
    public bool IsNull => Kind is JsonValueKind.Null or JsonValueKind.Undefined;

    /// <summary>The name in <c>type</c>; empty where there is none.</summary>
    public string Type => this["type"] is { IsNull: false } type ? type.Text() : "";

    /// <summary>A member; a null one where there is none.</summary>
    public JsonPart this[string name]
    {
        get
        {
            try
            {
                JsonElement value = Object().TryGetProperty(name, out JsonElement member) ? member : default;
                return new JsonPart(value, path, Place, name: name);
            }
            catch (InvalidOperationException)
            {
                throw Error("has a name with half a surrogate pair");
            }
        }
    }

    /// <summary>The items of a list.</summary>
    public IEnumerable<JsonPart> Items()
    {
        if (Kind != JsonValueKind.Array)
            throw Error("is not a list");
        (string file, string place) = (path, Place);
        return element.EnumerateArray().Select((item, i) => new JsonPart(item, file, place, index: i));
    }

    /// <summary>The members of an object.</summary>
    public IEnumerable<(string Name, JsonPart Value)> Members()
    {
        JsonElement.ObjectEnumerator members = Object().EnumerateObject();
        List<(string, JsonPart)> all = [];
        string place = Place;
        foreach (JsonProperty member in members)
        {
            string name = NameOf(member);
            all.Add((name, new JsonPart(member.Value, path, place, name: name)));
        }

        return all;
    }

    /// <summary>Its text.</summary>
    public string Text()
    {
        if (Kind != JsonValueKind.String)
            throw Error("is not a text");
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Error("has half a surrogate pair");
        }
    }

    /// <summary>Its text, or null where it is null.</summary>
    public string? TextOrNull() => IsNull ? null : Text();

    /// <summary>Its text, which must be one character.</summary>
    public Rune Character()
    {
        string text = Text();
        return text.Length > 0 && Rune.TryGetRuneAt(text, 0, out Rune rune) && rune.Utf16SequenceLength == text.Length
            ? rune : throw Error($"is '{Excerpt.Of(text, 40)}', not one character");
    }

    /// <summary>Its truth, or what counts where it is null.</summary>
    public bool Flag(bool orElse) => Kind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => IsNull ? orElse : throw Error("is neither true nor false"),
    };

    /// <summary>Its number, from 0 to <paramref name="most"/>.</summary>
    public int Number(int most) => Kind == JsonValueKind.Number && element.TryGetInt64(out long number) && number >= 0 && number <= most
        ? (int)number : throw Error($"is {Shown()}, not a whole number from 0 to {most}");

    /// <summary>Refuses members that are not among these.</summary>
    public void KnowOnly(params ReadOnlySpan<string> names)
    {
        foreach (JsonProperty member in Object().EnumerateObject())
        {
            string name = NameOf(member);
            if (name != "type" && !names.Contains(name))
                throw this[name].Error("is not known to TinyMoE, and may change the tokens");
        }
    }

    /// <summary>The error about this part.</summary>
    public TinyMoEException Error(string what) => new($"{path}: {(Place.Length == 0 ? "it" : Place)} {what}.");

    /// <summary>The error about a part of a type that is not known.</summary>
    public TinyMoEException Unknown(string kind, string known) => Type.Length == 0
        ? Error($"has no type; a {kind} is one of {known}")
        : Error($"has the type '{Excerpt.Of(Type, 40)}', which is no {kind} that TinyMoE knows ({known})");

    /// <summary>It as it stands in the file, the beginning if it is long.</summary>
    public string Shown() => Kind == JsonValueKind.Undefined ? "missing" : Excerpt.Of(element.GetRawText(), 40);

    private JsonElement Object() => Kind == JsonValueKind.Object ? element
        : throw Error(Kind == JsonValueKind.Undefined ? "is missing" : "is not an object");

    private string NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            throw Error("has a name with half a surrogate pair");
        }
    }
}
