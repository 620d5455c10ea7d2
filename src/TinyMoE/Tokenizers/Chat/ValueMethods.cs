namespace TinyMoE.Tokenizers.Chat;

/// <summary>The methods of Python's dicts, lists and tuples that change nothing.</summary>
internal static class ValueMethods
{
    /// <summary>A dict's method of a name; null: it has none.</summary>
    public static FunctionValue? Find(DictValue dict, string name)
    {
        return name switch
        {
            "get" => Method(name, (_, arguments) =>
            {
                object?[] bound = arguments.Bind(name, "key", "default?");
                return dict.Find(bound[0]!) ?? bound[1] ?? NoneValue.Instance;
            }),
            "items" => View(DictPart.Items),
            "keys" => View(DictPart.Keys),
            "values" => View(DictPart.Values),
            "copy" => Method(name, (_, arguments) => Nothing(arguments, dict)),
            _ => null,
        };

        FunctionValue View(DictPart part) => Method(name, (_, arguments) => Nothing(arguments, new DictView(dict, part)));

        object Nothing(Arguments arguments, object value)
        {
            arguments.Bind(name);
            return value;
        }
    }

    /// <summary>A list's or a tuple's method of a name; null: it has none.</summary>
    public static FunctionValue? Find(object sequence, object[] items, string name) => name switch
    {
        "count" => Method(name, (run, arguments) =>
        {
            object wanted = arguments.Bind(name, "value")[0]!;
            return (long)items.Count(item => run.AreEqual(item, wanted));
        }),
        "index" => Method(name, (run, arguments) =>
        {
            object wanted = arguments.Bind(name, "value")[0]!;
            int place = Array.FindIndex(items, item => run.AreEqual(item, wanted));
            return place >= 0 ? (long)place : throw new TemplateFailure($"{TemplateText.Quoted(run, wanted)} is not in list");
        }),
        "copy" when sequence is ListValue => Method(name, (_, _) => sequence),
        _ => null,
    };

    private static FunctionValue Method(string name, Func<TemplateRun, Arguments, object> call) =>
        new("builtin_function_or_method", name, call);
}
