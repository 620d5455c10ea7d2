using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>JSON to values, and values to JSON as Python's json.dumps writes it.</summary>
internal sealed class JsonText
{
    private readonly TemplateRun run;
    private readonly StringBuilder text = new();
    private readonly string? indent;
    private readonly string between, afterKey;
    private readonly bool ascii, sorted;

    private JsonText(TemplateRun run, string? indent, string between, string afterKey, bool ascii, bool sorted) =>
        (this.run, this.indent, this.between, this.afterKey, this.ascii, this.sorted) = (run, indent, between, afterKey, ascii, sorted);

    /// <summary>A value as JSON; <paramref name="indent"/> is what stands before a line per level, null: all on one line.</summary>
    public static string Write(
        TemplateRun run, object value, string? indent, (string Between, string AfterKey)? separators, bool ascii, bool sorted)
    {
        (string between, string afterKey) = separators ?? (indent is null ? ", " : ",", ": ");
        JsonText writer = new(run, indent, between, afterKey, ascii, sorted);
        writer.Add(value, 0);
        return run.Made(writer.text.ToString());
    }

    /// <summary>JSON as a value.</summary>
    public static object Read(TemplateRun run, JsonNode? node, int depth = 0)
    {
        run.CheckDepth(depth);
        switch (node)
        {
            case null:
                return NoneValue.Instance;
            case JsonArray array:
                return new ListValue([.. array.Select(item => Read(run, item, depth + 1))]);
            case JsonObject members:
                DictValue dict = new(run);
                foreach ((string key, JsonNode? value) in members)
                    dict.Set(key, Read(run, value, depth + 1));
                return dict;
        }

        JsonValueKind kind = node.GetValueKind();
        return kind switch
        {
            JsonValueKind.String => node.AsValue().TryGetValue(out string? said) ? said : node.ToString(),
            JsonValueKind.True or JsonValueKind.False => kind == JsonValueKind.True,
            JsonValueKind.Number => ReadNumber(node.ToJsonString()),
            _ => NoneValue.Instance,
        };
    }

    private static object ReadNumber(string number)
    {
        if (number.AsSpan().IndexOfAny(".eE") >= 0)
            return double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture);
        return number.Length > 1000 ? throw new TemplateFailure("a number has more than 1000 digits")
            : Numbers.Whole(BigInteger.Parse(number, CultureInfo.InvariantCulture));
    }

    private void Add(object value, int depth)
    {
        run.CheckDepth(depth);
        run.CheckSize(text.Length);
        run.Spend(1);
        switch (value)
        {
            case string said:
                AddString(said);
                break;
            case ListValue list:
                AddAll('[', list.Items, ']', depth, item => Add(item, depth + 1));
                break;
            case TupleValue tuple:
                AddAll('[', tuple.Items, ']', depth, item => Add(item, depth + 1));
                break;
            case DictValue dict:
                IEnumerable<KeyValuePair<object, object>> items = dict.Items;
                if (sorted)
                    items = Filters.Sorted(run, items, item => item.Key, isReversed: false);
                AddAll('{', items, '}', depth, item => AddMember(item, depth));
                break;
            default:
                AddScalar(value);
                break;
        }
    }

    private void AddScalar(object value) => text.Append(Scalar(value)
        ?? throw new TemplateFailure($"Object of type {TemplateText.TypeOf(value)} is not JSON serializable"));

    private static string? Scalar(object value) => value switch
    {
        NoneValue => "null",
        bool truth => truth ? "true" : "false",
        long or BigInteger => string.Create(CultureInfo.InvariantCulture, $"{value}"),
        double number => double.IsFinite(number) ? Numbers.Print(number)
            : double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity",
        _ => null,
    };

    private void AddMember(KeyValuePair<object, object> member, int depth)
    {
        AddString(member.Key as string ?? Scalar(member.Key) ?? throw new TemplateFailure(
            $"keys must be str, int, float, bool or None, not {TemplateText.TypeOf(member.Key)}"));
        text.Append(afterKey);
        Add(member.Value, depth + 1);
    }

    private void AddAll<T>(char open, IEnumerable<T> items, char close, int depth, Action<T> add)
    {
        text.Append(open);
        bool any = false;
        foreach (T item in items)
        {
            if (any)
                text.Append(between);
            NewLine(depth + 1);
            any = true;
            add(item);
        }

        if (any)
            NewLine(depth);
        text.Append(close);
    }

    private void NewLine(int depth)
    {
        if (indent is null)
            return;
        text.Append('\n');
        run.CheckSize(text.Length + ((long)indent.Length * depth));
        run.Spend(indent.Length * depth / 16);
        for (int i = 0; i < depth; i++)
            text.Append(indent);
    }

    private void AddString(string said)
    {
        run.Spend(said.Length / 16);
        text.Append('"');
        foreach (char c in said)
        {
            switch (c)
            {
                case '"' or '\\':
                    text.Append('\\').Append(c);
                    break;
                case '\n' or '\r' or '\t' or '\f' or '\b':
                    text.Append('\\').Append(c switch { '\n' => 'n', '\r' => 'r', '\t' => 't', '\f' => 'f', _ => 'b' });
                    break;
                default:
                    if (c < ' ' || (ascii && c > '~'))
                        text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    else
                        text.Append(c);
                    break;
            }
        }

        text.Append('"');
    }
}
