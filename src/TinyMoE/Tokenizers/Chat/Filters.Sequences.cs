namespace TinyMoE.Tokenizers.Chat;

/// <content>Filters of sequences. Those that Python works out item by item give what is visited once and always counts as true.</content>
internal static partial class Filters
{
    /// <summary>The items of a value; of one that counts as false there are none, whatever it is.</summary>
    private static IEnumerable<object> VisitTrue(TemplateRun run, object value) => run.IsTrue(value) ? run.Visit(value) : [];

    private static IteratorValue Lazy(IEnumerable<object> items) => new("generator", items);

    private static object First(TemplateRun run, Arguments arguments) =>
        run.Visit(arguments.Bind("first", "seq")[0]!).FirstOrDefault() ?? new UndefinedValue("No first item, sequence was empty.");

    private static object Last(TemplateRun run, Arguments arguments)
    {
        object value = arguments.Bind("last", "seq")[0]!;
        if (value is IteratorValue)
            throw new TemplateFailure($"'{TemplateText.TypeOf(value)}' object is not reversible");
        return run.Items(value) is [.., object last] ? last : new UndefinedValue("No last item, sequence was empty.");
    }

    private static object Items(TemplateRun run, Arguments arguments) => Lazy(ItemsOf(run, arguments.Bind("items", "value")[0]!));

    private static IEnumerable<object> ItemsOf(TemplateRun run, object value)
    {
        if (value is UndefinedValue)
            yield break;
        DictValue dict = value as DictValue ?? throw new TemplateFailure("Can only get item pairs from a mapping.");
        foreach (object item in run.Visit(new DictView(dict, DictPart.Items)))
            yield return item;
    }

    private static object Join(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("join", "value", "d?", "attribute?");
        Func<object, object>? get = Getter(run, bound[2], null);
        string between = bound[1] is { } said ? TemplateText.Of(run, said) : "";
        long size = 0;
        List<string> parts = [];
        foreach (object item in run.Visit(bound[0]!))
        {
            string part = TemplateText.Of(run, get is null ? item : get(item));
            run.CheckSize(size += part.Length + between.Length);
            parts.Add(part);
        }

        return run.Made(string.Join(between, parts));
    }

    private static object Map(TemplateRun run, Arguments arguments)
    {
        if (arguments.Positional.Count == 0)
            throw new TemplateFailure("map() missing 1 required positional argument: 'value'");
        object value = arguments.Positional[0];
        if (arguments.Positional.Count == 1 && arguments.Named.Any(item => item.Key == "attribute"))
        {
            object?[] bound = new Arguments([], arguments.Named).Bind("map", "attribute", "default?");
            Func<object, object> get = Getter(run, bound[0], bound[1])!;
            return Lazy(VisitTrue(run, value).Select(get));
        }

        if (arguments.Positional.Count < 2)
            throw new TemplateFailure("map requires a filter argument");
        string name = TemplateText.Of(run, arguments.Positional[1]);
        return Lazy(VisitTrue(run, value).Select(item => Apply(run, name, With(item, arguments.Skip(2)))));
    }

    private static object Select(TemplateRun run, Arguments arguments, bool wanted)
    {
        if (arguments.Positional.Count == 0)
            throw new TemplateFailure("select() missing 1 required positional argument: 'value'");
        return Lazy(VisitTrue(run, arguments.Positional[0]).Where(Check(run, arguments.Skip(1), item => item, wanted)));
    }

    private static object SelectByAttribute(TemplateRun run, Arguments arguments, bool wanted)
    {
        if (arguments.Positional.Count < 2)
            throw new TemplateFailure("Missing parameter for attribute name");
        Func<object, object> get = Getter(run, arguments.Positional[1], null)!;
        return Lazy(VisitTrue(run, arguments.Positional[0]).Where(Check(run, arguments.Skip(2), get, wanted)));
    }

    /// <summary>Whether an item, or what is got of it, passes the test that arguments name; no name: whether it counts as true.</summary>
    private static Func<object, bool> Check(TemplateRun run, Arguments arguments, Func<object, object> get, bool wanted)
    {
        if (arguments.Positional.Count == 0)
            return item => run.IsTrue(get(item)) == wanted;
        string name = TemplateText.Of(run, arguments.Positional[0]);
        Arguments rest = arguments.Skip(1);
        return item => ValueTests.Holds(run, name, With(get(item), rest)) == wanted;
    }

    private static Arguments With(object first, Arguments rest) => new([first, .. rest.Positional], rest.Named);

    /// <summary>Gets what an attribute names, which may be a path with dots and places; null: there is no attribute.</summary>
    private static Func<object, object>? Getter(TemplateRun run, object? attribute, object? otherwise, bool foldCase = false)
    {
        if (attribute is null or NoneValue)
            return foldCase ? item => Folded(item) : null;
        object[] path = attribute is string text ? [.. text.Split('.').Select(Part)] : [attribute];
        return item =>
        {
            foreach (object part in path)
            {
                item = run.Item(item, part);
                if (item is UndefinedValue && otherwise is not null)
                    item = otherwise;
            }

            return foldCase ? Folded(item) : item;
        };

        static object Part(string part) => part.Length is > 0 and < 9 && part.All(char.IsAsciiDigit)
            ? long.Parse(part, System.Globalization.CultureInfo.InvariantCulture) : part;
    }

    private static object Folded(object item) => item is string text ? PythonText.Lower(text) : item;

    private static object Sum(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("sum", "iterable", "attribute?", "start?");
        Func<object, object>? get = Getter(run, bound[1], null);
        object sum = bound[2] ?? 0L;
        if (sum is string)
            throw new TemplateFailure("sum() can't sum strings [use ''.join(seq) instead]");
        foreach (object item in run.Visit(bound[0]!))
            sum = run.Compute("+", sum, get is null ? item : get(item));
        return sum;
    }

    private static object Extreme(TemplateRun run, Arguments arguments, string name, int sign)
    {
        object?[] bound = arguments.Bind(name, "value", "case_sensitive?", "attribute?");
        Func<object, object>? get = Getter(run, bound[2], null, foldCase: !IsSet(run, bound[1]));
        object? best = null, bestKey = null;
        foreach (object item in run.Visit(bound[0]!))
        {
            object key = get is null ? item : get(item);
            if (best is null || run.Compare(sign > 0 ? ">" : "<", key, bestKey!))
                (best, bestKey) = (item, key);
        }

        return best ?? new UndefinedValue("No aggregated item, sequence was empty.");
    }

    private static bool IsSet(TemplateRun run, object? flag) => flag is not null && run.IsTrue(flag);

    private static object Sort(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("sort", "value", "reverse?", "case_sensitive?", "attribute?");
        bool foldCase = !IsSet(run, bound[2]);
        string[] attributes = bound[3] is string text ? text.Split(',') : [];
        Func<object, object>? one = attributes.Length > 1 ? null : Getter(run, bound[3], null, foldCase);
        Func<object, object>[] several = [.. attributes.Select(name => Getter(run, name, null, foldCase)!)];
        return new ListValue(Sorted(run, run.Items(bound[0]!), Key, IsSet(run, bound[1])));

        object Key(object item) => attributes.Length > 1 ? new TupleValue([.. several.Select(get => get(item))])
            : one is null ? item : one(item);
    }

    /// <summary>Items in the order of their keys; those with equal keys stay in the order they were in.</summary>
    public static T[] Sorted<T>(TemplateRun run, IEnumerable<T> items, Func<T, object> key, bool isReversed)
    {
        (T Item, object Key)[] keyed = [.. items.Select(item => (item, key(item)))];
        Comparer<object> order = Comparer<object>.Create(run.Compare);
        try
        {
            return [.. (isReversed ? keyed.OrderByDescending(item => item.Key, order) : keyed.OrderBy(item => item.Key, order))
                .Select(item => item.Item)];
        }
        catch (InvalidOperationException e) when (e.InnerException is TemplateFailure failure)
        {
            throw failure;
        }
    }

    private static object DictSort(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("dictsort", "value", "case_sensitive?", "by?", "reverse?");
        int place = bound[2] switch
        {
            null or "key" => 0,
            "value" => 1,
            _ => throw new TemplateFailure("You can only sort by either \"key\" or \"value\""),
        };
        if (bound[0] is not DictValue dict)
            throw new TemplateFailure($"'{TemplateText.TypeOf(bound[0]!)}' object has no attribute 'items'");
        bool exact = IsSet(run, bound[1]);
        return new ListValue(Sorted(run, [.. new DictView(dict, DictPart.Items).Items], Key, IsSet(run, bound[3])));

        object Key(object pair) => exact ? ((TupleValue)pair).Items[place] : Folded(((TupleValue)pair).Items[place]);
    }

    private static object Unique(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("unique", "value", "case_sensitive?", "attribute?");
        Func<object, object>? get = Getter(run, bound[2], null, foldCase: !IsSet(run, bound[1]));
        HashSet<object> seen = new(run.Comparer);
        return Lazy(run.Visit(bound[0]!).Where(item => seen.Add(get is null ? item : get(item))));
    }

    private static object GroupBy(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("groupby", "value", "attribute", "default?", "case_sensitive?");
        Func<object, object> get = Getter(run, bound[1], bound[2], foldCase: !IsSet(run, bound[3]))!;
        Func<object, object> name = Getter(run, bound[1], bound[2])!;
        List<object> groups = [];
        List<object> group = [];
        object? last = null;
        foreach (object item in Sorted(run, run.Items(bound[0]!), get, isReversed: false))
        {
            object key = get(item);
            if (last is not null && !run.AreEqual(last, key))
                Close();
            last = key;
            group.Add(item);
        }

        Close();
        return new ListValue([.. groups]);

        void Close()
        {
            if (group.Count > 0)
                groups.Add(new TupleValue([name(group[0]), new ListValue([.. group])], isGroup: true));
            group.Clear();
        }
    }

    private static object Reverse(TemplateRun run, Arguments arguments)
    {
        object value = arguments.Bind("reverse", "value")[0]!;
        if (value is string text)
            return run.Made(PythonText.Reverse(text));
        if (!TemplateRun.IsIterable(value))
            throw new TemplateFailure("argument must be iterable");
        object[] reversed = [.. run.Items(value).AsEnumerable().Reverse()];
        return value is IteratorValue ? new ListValue(reversed)
            : new IteratorValue("list_reverseiterator", run.Visit(new ListValue(reversed)));
    }

    private static object Batch(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("batch", "value", "linecount", "fill_with?");
        long count = Numbers.Index(bound[1]!, "counts");
        run.CheckSize(count);
        return Lazy(Batches());

        IEnumerable<object> Batches()
        {
            List<object> batch = [];
            foreach (object item in run.Visit(bound[0]!))
            {
                if (batch.Count == count)
                {
                    yield return new ListValue([.. batch]);
                    batch.Clear();
                }

                batch.Add(item);
            }

            while (batch.Count > 0 && batch.Count < count && bound[2] is { } fill and not NoneValue)
            {
                run.Spend(1);
                batch.Add(fill);
            }

            if (batch.Count > 0)
                yield return new ListValue([.. batch]);
        }
    }

    private static object Slice(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("slice", "value", "slices", "fill_with?");
        long slices = Numbers.Index(bound[1]!, "counts");
        if (slices == 0)
            throw new TemplateFailure("integer division or modulo by zero");
        object[] items = run.Items(bound[0]!);
        run.CheckRange(slices);
        return Lazy(Slices());

        IEnumerable<object> Slices()
        {
            int length = (int)(items.Length / slices), longer = (int)(items.Length % slices);
            for (int i = 0, start = 0; i < slices; i++)
            {
                run.Spend(1);
                int end = start + length + (i < longer ? 1 : 0);
                bool fills = bound[2] is not (null or NoneValue) && i >= longer;
                yield return new ListValue(fills ? [.. items[start..end], bound[2]!] : items[start..end]);
                start = end;
            }
        }
    }
}
