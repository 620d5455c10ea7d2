using System.Globalization;
using System.Numerics;
using System.Text;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>Values as text: as Python's str() and repr() print them.</summary>
internal sealed class TemplateText(TemplateRun run)
{
    private readonly StringBuilder text = new();

    /// <summary>What Python calls the type of a value.</summary>
    public static string TypeOf(object value) => value switch
    {
        NoneValue => "NoneType",
        bool => "bool",
        long or BigInteger => "int",
        double => "float",
        string => "str",
        ListValue => "list",
        TupleValue tuple => tuple.IsGroup ? "_GroupTuple" : "tuple",
        DictValue => "dict",
        DictView view => view.Part switch { DictPart.Keys => "dict_keys", DictPart.Values => "dict_values", _ => "dict_items" },
        RangeValue => "range",
        NamespaceValue => "Namespace",
        UndefinedValue => "Undefined",
        IteratorValue iterator => iterator.TypeName,
        FunctionValue function => function.TypeName,
        ObjectValue other => other.TypeName,
        _ => value.GetType().Name,
    };

    /// <summary>A value as it is printed.</summary>
    public static string Of(TemplateRun run, object value) => value switch
    {
        string said => said,
        long number => number.ToString(CultureInfo.InvariantCulture),
        UndefinedValue => "",
        _ => Quoted(run, value),
    };

    /// <summary>A value as Python's repr() has it.</summary>
    public static string Quoted(TemplateRun run, object value)
    {
        TemplateText printer = new(run);
        printer.Add(value, 0);
        return printer.text.ToString();
    }

    private void Add(object value, int depth)
    {
        run.CheckDepth(depth);
        run.CheckSize(text.Length);
        run.Spend(1);
        switch (value)
        {
            case NoneValue:
                text.Append("None");
                break;
            case bool truth:
                text.Append(truth ? "True" : "False");
                break;
            case long or BigInteger:
                text.Append(CultureInfo.InvariantCulture, $"{value}");
                break;
            case double number:
                text.Append(Numbers.Print(number));
                break;
            case string said:
                AddString(said);
                break;
            case ListValue list:
                AddAll("[", list.Items, "]", depth);
                break;
            case TupleValue tuple:
                AddAll("(", tuple.Items, tuple.Items.Length == 1 ? ",)" : ")", depth);
                break;
            case DictValue dict:
                AddDict(dict, depth);
                break;
            case DictView view:
                text.Append(TypeOf(view)).Append('(');
                AddAll("[", view.Items, "])", depth);
                break;
            case RangeValue range:
                string step = range.Step == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $", {range.Step}");
                text.Append(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}{step})");
                break;
            case NamespaceValue names:
                AddNamespace(names, depth);
                break;
            case UndefinedValue:
                text.Append("Undefined");
                break;
            default:
                text.Append(CultureInfo.InvariantCulture, $"<{TypeOf(value)} object>");
                break;
        }
    }

    private void AddAll(string open, IEnumerable<object> items, string close, int depth)
    {
        text.Append(open);
        string comma = "";
        foreach (object item in items)
        {
            text.Append(comma);
            Add(item, depth + 1);
            comma = ", ";
        }

        text.Append(close);
    }

    private void AddDict(DictValue dict, int depth)
    {
        text.Append('{');
        string comma = "";
        foreach ((object key, object value) in dict.Items)
        {
            text.Append(comma);
            Add(key, depth + 1);
            text.Append(": ");
            Add(value, depth + 1);
            comma = ", ";
        }

        text.Append('}');
    }

    private void AddNamespace(NamespaceValue names, int depth)
    {
        text.Append("<Namespace {");
        string comma = "";
        foreach ((string name, object value) in names.Names)
        {
            text.Append(comma);
            AddString(name);
            text.Append(": ");
            Add(value, depth + 1);
            comma = ", ";
        }

        text.Append("}>");
    }

    private void AddString(string said)
    {
        run.Spend(said.Length / 16);
        char quote = said.Contains('\'', StringComparison.Ordinal) && !said.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        text.Append(quote);
        foreach (string c in PythonText.Characters(said))
            AddCharacter(c, quote);
        text.Append(quote);
    }

    private void AddCharacter(string c, char quote)
    {
        int code = c.Length == 2 ? char.ConvertToUtf32(c[0], c[1]) : c[0];
        if (code == quote || code == '\\')
            text.Append('\\').Append(c);
        else if (code is '\n' or '\r' or '\t')
            text.Append('\\').Append(code == '\n' ? 'n' : code == '\r' ? 'r' : 't');
        else if (code == ' ' || IsPrintable(c))
            text.Append(c);
        else
            text.Append('\\').Append(code < 0x100 ? 'x' : code < 0x10000 ? 'u' : 'U')
                .Append(code.ToString(code < 0x100 ? "x2" : code < 0x10000 ? "x4" : "x8", CultureInfo.InvariantCulture));
    }

    private static bool IsPrintable(string c) => CharUnicodeInfo.GetUnicodeCategory(c, 0) is not (UnicodeCategory.Control
        or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
}
