namespace TinyMoE.Tokenizers.Chat;

// What a template computes with, as an object: NoneValue, bool, long, BigInteger (whole numbers beyond long), double, string, and the
// classes below. Nothing a template can reach changes once it is made, but namespaces and what is visited item by item.

/// <summary>None.</summary>
internal sealed class NoneValue
{
    /// <summary>The only one.</summary>
    public static NoneValue Instance { get; } = new();

    private NoneValue()
    {
    }
}

/// <summary>
/// What has no value, or one that the sandbox keeps: it prints as nothing, is false and empty, and all else done with it is an error of
/// this message.
/// </summary>
internal sealed class UndefinedValue(string message)
{
    /// <summary>What is said where it is used.</summary>
    public string Message { get; } = message;
}

/// <summary>A list.</summary>
internal sealed class ListValue(object[] items)
{
    /// <summary>Its items, not to be changed.</summary>
    public object[] Items { get; } = items;
}

/// <summary>A tuple; a group of groupby has names for its two items.</summary>
internal sealed class TupleValue(object[] items, bool isGroup = false)
{
    /// <summary>Its items, not to be changed.</summary>
    public object[] Items { get; } = items;

    /// <summary>The first item is the attribute grouper, the second list.</summary>
    public bool IsGroup { get; } = isGroup;
}

/// <summary>A dict, in the order in which keys came.</summary>
internal sealed class DictValue
{
    private readonly OrderedDictionary<object, object> items;

    /// <summary>An empty dict.</summary>
    public DictValue(TemplateRun run) => items = new(run.Comparer);

    /// <summary>Number of keys.</summary>
    public int Count => items.Count;

    /// <summary>Its keys, in order.</summary>
    public IEnumerable<object> Keys => items.Keys;

    /// <summary>Its values, in the order of the keys.</summary>
    public IEnumerable<object> Values => items.Values;

    /// <summary>Keys with their values.</summary>
    public IEnumerable<KeyValuePair<object, object>> Items => items;

    /// <summary>The value of a key; null: it has none.</summary>
    public object? Find(object key) => items.TryGetValue(key, out object? value) ? value : null;

    /// <summary>Gives a key a value; used while the dict is made.</summary>
    public void Set(object key, object value) => items[key] = value;
}

/// <summary>What a dict's keys(), values() and items() give.</summary>
internal sealed class DictView(DictValue dict, DictPart part)
{
    /// <summary>The dict.</summary>
    public DictValue Dict { get; } = dict;

    /// <summary>What of it is seen.</summary>
    public DictPart Part { get; } = part;

    /// <summary>The items of the view.</summary>
    public IEnumerable<object> Items => Part switch
    {
        DictPart.Keys => Dict.Keys,
        DictPart.Values => Dict.Values,
        _ => Dict.Items.Select(item => new TupleValue([item.Key, item.Value])),
    };
}

/// <summary>Parts of a dict.</summary>
internal enum DictPart
{
    /// <summary>Its keys.</summary>
    Keys,

    /// <summary>Its values.</summary>
    Values,

    /// <summary>Pairs of key and value.</summary>
    Items,
}

/// <summary>The whole numbers from a start in steps, <paramref name="Count"/> of them.</summary>
internal sealed record RangeValue(long Start, long Stop, long Step, int Count)
{
    /// <summary>The number at a place.</summary>
    public long At(int index) => Start + (index * Step);
}

/// <summary>What is visited item by item, once; it counts as true, however many items there are.</summary>
internal sealed class IteratorValue(string typeName, IEnumerable<object> items)
{
    private readonly IEnumerator<object> rest = items.GetEnumerator();

    /// <summary>What Python calls it.</summary>
    public string TypeName { get; } = typeName;

    /// <summary>The items that were not visited yet.</summary>
    public IEnumerable<object> Rest()
    {
        while (rest.MoveNext())
            yield return rest.Current;
    }
}

/// <summary>A namespace: names whose values outlive the loop that sets them.</summary>
internal sealed class NamespaceValue
{
    /// <summary>Its names, in the order in which they came.</summary>
    public OrderedDictionary<string, object> Names { get; } = new(StringComparer.Ordinal);
}

/// <summary>What can be called.</summary>
/// <param name="typeName">What Python calls it.</param>
/// <param name="name">Its own name.</param>
/// <param name="call">What it does.</param>
internal sealed class FunctionValue(string typeName, string name, Func<TemplateRun, Arguments, object> call)
{
    /// <summary>What Python calls it.</summary>
    public string TypeName { get; } = typeName;

    /// <summary>Its own name.</summary>
    public string Name { get; } = name;

    /// <summary>What it does.</summary>
    public Func<TemplateRun, Arguments, object> Call { get; } = call;
}

/// <summary>What has attributes that it works out when they are asked for: the loop, and what cycler and joiner make.</summary>
internal abstract class ObjectValue
{
    /// <summary>What Python calls it.</summary>
    public abstract string TypeName { get; }

    /// <summary>The attribute of a name; null: it has none.</summary>
    public abstract object? Attribute(TemplateRun run, string name);

    /// <summary>What calling it does; null: it cannot be called.</summary>
    public virtual Func<TemplateRun, Arguments, object>? Call => null;
}
