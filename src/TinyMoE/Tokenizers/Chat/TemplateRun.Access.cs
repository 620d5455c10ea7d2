namespace TinyMoE.Tokenizers.Chat;

/// <content>Attributes, items, slices, and visiting items.</content>
internal sealed partial class TemplateRun
{
    /// <summary>value.name: an attribute, or else what the value has under that key.</summary>
    public object Attribute(object value, string name) =>
        FindAttribute(Defined(value), name) ?? (value is DictValue dict ? dict.Find(name) : null) ?? Missing(value, name);

    /// <summary>value[key]: what the value has under that key, or else an attribute.</summary>
    public object Item(object value, object key)
    {
        object? found = Defined(value) switch
        {
            DictValue dict => key is ListValue or DictValue ? null : dict.Find(key),
            ListValue list => Numbers.IsWhole(key) ? At(list.Items, key) : null,
            TupleValue tuple => Numbers.IsWhole(key) ? At(tuple.Items, key) : null,
            string text => Numbers.IsWhole(key) ? CharacterAt(text, key) : null,
            RangeValue range => Numbers.IsWhole(key) && Place(key, range.Count) is int place and >= 0 ? range.At(place) : null,
            _ => null,
        };
        return found ?? (key is string name ? FindAttribute(value, name) : null) ?? Missing(value, key);
    }

    /// <summary>value[start:stop:step], each of them None where it is left out.</summary>
    public object Slice(object value, object start, object stop, object step)
    {
        switch (Defined(value))
        {
            case string text when PythonText.IsPlain(text):
                Spend(text.Length / 16);
                return Made(new string([.. Pick(text.Length, start, stop, step).Select(i => text[i])]));
            case string text:
                string[] characters = [.. PythonText.Characters(text)];
                Spend(characters.Length / 4);
                return Made(string.Concat(Pick(characters.Length, start, stop, step).Select(i => characters[i])));
            case ListValue list:
                return new ListValue(Paid([.. Pick(list.Items.Length, start, stop, step).Select(i => list.Items[i])]));
            case TupleValue tuple:
                return new TupleValue(Paid([.. Pick(tuple.Items.Length, start, stop, step).Select(i => tuple.Items[i])]));
            case RangeValue range:
                (long from, long to, long by, int count) = Bounds(range.Count, start, stop, step);
                return new RangeValue(range.Start + (from * range.Step), range.Start + (to * range.Step), by * range.Step, count);
            case DictValue:
                throw new TemplateFailure("unhashable type: 'slice'");
            default:
                throw new TemplateFailure($"'{TemplateText.TypeOf(value)}' object is not subscriptable");
        }
    }

    /// <summary>The items of a value, one by one, each for a step; what has none is an error when the first one is asked for.</summary>
    public IEnumerable<object> Visit(object value)
    {
        foreach (object item in All(value))
        {
            Spend(1);
            yield return item;
        }
    }

    private static IEnumerable<object> All(object value) => value switch
    {
        string text => PythonText.Characters(text),
        ListValue list => list.Items,
        TupleValue tuple => tuple.Items,
        DictValue dict => dict.Keys,
        DictView view => view.Items,
        RangeValue range => Enumerable.Range(0, range.Count).Select(i => (object)range.At(i)),
        IteratorValue iterator => iterator.Rest(),
        UndefinedValue => [],
        _ => throw new TemplateFailure($"'{TemplateText.TypeOf(value)}' object is not iterable"),
    };

    /// <summary>The items of a value, all at once.</summary>
    public object[] Items(object value) => value switch
    {
        ListValue list => list.Items,
        TupleValue tuple => tuple.Items,
        _ => [.. Visit(value)],
    };

    /// <summary>How many items a value has; null: it does not say.</summary>
    public int? Length(object value) => value switch
    {
        string text => PythonText.Length(Made(text)),
        ListValue list => list.Items.Length,
        TupleValue tuple => tuple.Items.Length,
        DictValue dict => dict.Count,
        DictView view => view.Dict.Count,
        RangeValue range => range.Count,
        LoopValue loop => loop.Length,
        UndefinedValue => 0,
        _ => null,
    };

    /// <summary>Whether items of a value can be visited.</summary>
    public static bool IsIterable(object value) =>
        value is string or ListValue or TupleValue or DictValue or DictView or RangeValue or IteratorValue or LoopValue or UndefinedValue;

    private object[] Paid(object[] items)
    {
        CheckSize(items.Length);
        Spend(items.Length);
        return items;
    }

    private object? FindAttribute(object value, string name)
    {
        if (name.StartsWith("__", StringComparison.Ordinal) && name.EndsWith("__", StringComparison.Ordinal))
            return Forbidden(value, name);
        return value switch
        {
            string text => StringMethods.Find(text, name),
            DictValue dict => name is "clear" or "pop" or "popitem" or "setdefault" or "update"
                ? Forbidden(value, name) : ValueMethods.Find(dict, name),
            ListValue list => name is "append" or "clear" or "pop" or "reverse" or "insert" or "sort" or "extend" or "remove"
                ? Forbidden(value, name) : ValueMethods.Find(value, list.Items, name),
            TupleValue { IsGroup: true } group when name is "grouper" or "list" => group.Items[name == "list" ? 1 : 0],
            TupleValue tuple => ValueMethods.Find(value, tuple.Items, name),
            NamespaceValue names => names.Names.TryGetValue(name, out object? found) ? found : null,
            ObjectValue other => other.Attribute(this, name),
            FunctionValue function when name == "name" && function.TypeName == "Macro" => function.Name,
            _ => null,
        };
    }

    private static UndefinedValue Forbidden(object value, string name) => new(
        $"access to attribute '{name}' of '{TemplateText.TypeOf(value)}' object is unsafe.");

    private UndefinedValue Missing(object value, object key)
    {
        string type = value switch
        {
            NoneValue => "None",
            NamespaceValue => "jinja2.utils.Namespace object",
            ObjectValue other => $"jinja2.runtime.{other.TypeName} object",
            _ => $"{TemplateText.TypeOf(value)} object",
        };
        return new UndefinedValue(key is string name ? $"'{type}' has no attribute {TemplateText.Quoted(this, name)}"
            : $"{type} has no element {TemplateText.Quoted(this, key)}");
    }

    private static object? At(object[] items, object key) => Place(key, items.Length) is int place and >= 0 ? items[place] : null;

    private string? CharacterAt(string text, object key)
    {
        if (PythonText.IsPlain(text))
            return Place(key, text.Length) is int plain and >= 0 ? text[plain].ToString() : null;
        Spend(text.Length / 16);
        return Place(key, PythonText.Length(text)) is int place and >= 0 ? PythonText.Characters(text).ElementAt(place) : null;
    }

    /// <summary>The place that a key names among so many, counted from the end where it is negative; -1: none.</summary>
    private static int Place(object key, int count)
    {
        long place = Numbers.Index(key, "indices");
        place += place < 0 ? count : 0;
        return place >= 0 && place < count ? (int)place : -1;
    }

    private static IEnumerable<int> Pick(int length, object start, object stop, object step)
    {
        (long from, _, long by, int count) = Bounds(length, start, stop, step);
        return Enumerable.Range(0, count).Select(i => (int)(from + (i * by)));
    }

    /// <summary>The bounds of a slice of so many items as Python works them out.</summary>
    private static (long From, long To, long By, int Count) Bounds(int length, object start, object stop, object step)
    {
        long by = step is NoneValue ? 1 : SliceIndex(step);
        if (by == 0)
            throw new TemplateFailure("slice step cannot be zero");
        long lowest = by > 0 ? 0 : -1, highest = by > 0 ? length : length - 1;
        long from = start is NoneValue ? (by > 0 ? lowest : highest) : Clip(SliceIndex(start));
        long to = stop is NoneValue ? (by > 0 ? highest : lowest) : Clip(SliceIndex(stop));
        long count = by > 0 ? (to - from + by - 1) / by : (from - to - by - 1) / -by;
        return (from, to, by, (int)Math.Max(0, count));

        long Clip(long place) => Math.Clamp(place < 0 ? place + length : place, lowest, highest);

        static long SliceIndex(object value) => Numbers.IsWhole(value) ? Numbers.Index(value, "slice indices")
            : throw new TemplateFailure("slice indices must be integers or None or have an __index__ method");
    }
}
