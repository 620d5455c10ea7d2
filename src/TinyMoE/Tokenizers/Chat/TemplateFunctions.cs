namespace TinyMoE.Tokenizers.Chat;

/// <summary>What every template can call: Jinja's own functions, and the two that transformers adds.</summary>
internal static class TemplateFunctions
{
    /// <summary>The names that every template knows.</summary>
    public static Scope Globals { get; } = Make();

    private static Scope Make()
    {
        Scope globals = new(null);
        Add("range", "type", MakeRange);
        Add("dict", "type", MakeDict);
        Add("namespace", "type", MakeNamespace);
        Add("cycler", "type", (_, arguments) => arguments.Positional.Count == 0
            ? throw new TemplateFailure("at least one item has to be provided") : new Cycler([.. arguments.Positional]));
        Add("joiner", "type", (run, arguments) => new Joiner(arguments.Bind("joiner", "sep?")[0] ?? ", "));
        Add("raise_exception", "function", Raise);
        Add("strftime_now", "function", (run, arguments) => TimeFormat.Of(
            run, TemplateText.Of(run, arguments.Bind("strftime_now", "format")[0]!), run.Now ?? DateTime.Now));
        return globals;

        void Add(string name, string type, Func<TemplateRun, Arguments, object> call) =>
            globals.Set(name, new FunctionValue(type, name, call));
    }

    private static object Raise(TemplateRun run, Arguments arguments)
    {
        string message = TemplateText.Of(run, arguments.Bind("raise_exception", "message")[0]!);
        throw new TemplateFailure(message) { IsRaised = true };
    }

    private static object MakeRange(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("range", "start", "stop?", "step?");
        long[] bounds = [.. bound.OfType<object>().Select(Bound)];
        (long start, long stop) = bounds.Length == 1 ? (0, bounds[0]) : (bounds[0], bounds[1]);
        long step = bounds.Length == 3 ? bounds[2] : 1;
        if (step == 0)
            throw new TemplateFailure("range() arg 3 must not be zero");
        long count = step > 0 ? (stop - start + step - 1) / step : (start - stop - step - 1) / -step;
        run.CheckRange(count);
        return new RangeValue(start, stop, step, (int)Math.Max(0, count));

        static long Bound(object value) => Numbers.IsWhole(value) ? Numbers.Index(value, "bounds")
            : throw new TemplateFailure($"'{TemplateText.TypeOf(value)}' object cannot be interpreted as an integer");
    }

    private static object MakeDict(TemplateRun run, Arguments arguments)
    {
        DictValue dict = new(run);
        if (arguments.Positional.Count > 1)
            throw new TemplateFailure($"dict expected at most 1 argument, got {arguments.Positional.Count}");
        foreach ((object key, object value) in arguments.Positional.SelectMany(from => Pairs(run, from)))
            dict.Set(key, value);
        foreach ((string name, object value) in arguments.Named)
            dict.Set(name, value);
        return dict;
    }

    private static IEnumerable<(object Key, object Value)> Pairs(TemplateRun run, object from)
    {
        if (from is DictValue dict)
            return dict.Items.Select(item => (item.Key, item.Value));
        return run.Visit(from).Select((item, i) => run.Items(item) is [object key, object value] ? (key, value)
            : throw new TemplateFailure($"dictionary update sequence element #{i} is no pair"));
    }

    private static object MakeNamespace(TemplateRun run, Arguments arguments)
    {
        NamespaceValue names = new();
        foreach ((object key, object value) in ((DictValue)MakeDict(run, arguments)).Items)
            names.Names[TemplateText.Of(run, key)] = value;
        return names;
    }

    /// <summary>Gives one item after another, over and over.</summary>
    private sealed class Cycler(object[] items) : ObjectValue
    {
        private int place;

        public override string TypeName => "Cycler";

        public override object? Attribute(TemplateRun run, string name) => name switch
        {
            "current" => items[place],
            "next" => new FunctionValue("method", name, (_, _) => Next()),
            "reset" => new FunctionValue("method", name, (_, _) => Reset()),
            _ => null,
        };

        private object Next()
        {
            object item = items[place];
            place = (place + 1) % items.Length;
            return item;
        }

        private NoneValue Reset()
        {
            place = 0;
            return NoneValue.Instance;
        }
    }

    /// <summary>Gives nothing when it is called first, and a separator from then on.</summary>
    private sealed class Joiner(object separator) : ObjectValue
    {
        private bool used;

        public override string TypeName => "Joiner";

        public override Func<TemplateRun, Arguments, object> Call => (_, _) =>
        {
            object given = used ? separator : "";
            used = true;
            return given;
        };

        public override object? Attribute(TemplateRun run, string name) => null;
    }
}
