namespace TinyMoE.Tokenizers.Chat;

/// <summary>Tests, as in value is name(arguments) (Jinja documentation, "List of Builtin Tests").</summary>
internal static class ValueTests
{
    private static readonly Dictionary<string, Func<TemplateRun, object, bool>> OfOne = new(StringComparer.Ordinal)
    {
        ["boolean"] = (_, value) => value is bool,
        ["callable"] = (_, value) => value is FunctionValue or ObjectValue { Call: not null } or UndefinedValue,
        ["defined"] = (_, value) => value is not UndefinedValue,
        ["escaped"] = (_, _) => false,
        ["even"] = (run, value) => run.AreEqual(run.Compute("%", value, 2L), 0L),
        ["false"] = (_, value) => value is false,
        ["filter"] = (run, value) => value is string name && Filters.Names.Contains(name),
        ["float"] = (_, value) => value is double,
        ["integer"] = (_, value) => value is not bool && Numbers.IsWhole(value),
        ["iterable"] = (_, value) => TemplateRun.IsIterable(value),
        ["lower"] = (run, value) => PythonText.AllCased(TemplateText.Of(run, value), upper: false),
        ["mapping"] = (_, value) => value is DictValue,
        ["none"] = (_, value) => value is NoneValue,
        ["number"] = (_, value) => Numbers.IsNumber(value),
        ["odd"] = (run, value) => run.AreEqual(run.Compute("%", value, 2L), 1L),
        ["sequence"] = (_, value) => value is string or ListValue or TupleValue or DictValue or RangeValue or UndefinedValue,
        ["string"] = (_, value) => value is string,
        ["test"] = (_, value) => value is string name && IsKnown(name),
        ["true"] = (_, value) => value is true,
        ["undefined"] = (_, value) => value is UndefinedValue,
        ["upper"] = (run, value) => PythonText.AllCased(TemplateText.Of(run, value), upper: true),
    };

    private static readonly Dictionary<string, Func<TemplateRun, object, object, bool>> OfTwo = new(StringComparer.Ordinal)
    {
        ["divisibleby"] = (run, value, other) => run.AreEqual(run.Compute("%", value, other), 0L),
        ["in"] = (run, value, other) => run.Contains(other, value),
        ["sameas"] = (_, value, other) => ReferenceEquals(value, other) || (value is bool a && other is bool b && a == b)
            || (value is long or string && value.Equals(other)),
        ["=="] = Comparing("=="), ["eq"] = Comparing("=="), ["equalto"] = Comparing("=="),
        ["!="] = Comparing("!="), ["ne"] = Comparing("!="),
        ["<"] = Comparing("<"), ["lt"] = Comparing("<"), ["lessthan"] = Comparing("<"),
        ["<="] = Comparing("<="), ["le"] = Comparing("<="),
        [">"] = Comparing(">"), ["gt"] = Comparing(">"), ["greaterthan"] = Comparing(">"),
        [">="] = Comparing(">="), ["ge"] = Comparing(">="),
    };

    /// <summary>The names of all tests.</summary>
    public static IEnumerable<string> Names => OfOne.Keys.Concat(OfTwo.Keys);

    /// <summary>Whether a test holds; the first argument is the value.</summary>
    public static bool Holds(TemplateRun run, string name, Arguments arguments)
    {
        run.Spend(1);
        if (OfOne.TryGetValue(name, out Func<TemplateRun, object, bool>? one))
            return one(run, arguments.Bind(name, "value")[0]!);
        if (!OfTwo.TryGetValue(name, out Func<TemplateRun, object, object, bool>? two))
            throw new TemplateFailure($"No test named '{name}'.");
        object?[] both = arguments.Bind(name, "value", "other");
        return two(run, both[0]!, both[1]!);
    }

    private static bool IsKnown(string name) => OfOne.ContainsKey(name) || OfTwo.ContainsKey(name);

    private static Func<TemplateRun, object, object, bool> Comparing(string sign) => (run, value, other) => run.Compare(sign, value, other);
}
