using System.Numerics;

namespace TinyMoE.Tokenizers.Chat;

/// <content>Truth, equality, order, membership, and arithmetic.</content>
internal sealed partial class TemplateRun
{
    /// <summary>By which keys of dicts and items of unique are the same.</summary>
    public IEqualityComparer<object> Comparer { get; }

    /// <summary>Whether a value counts as true.</summary>
    public bool IsTrue(object value) => value switch
    {
        bool truth => truth,
        NoneValue => false,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        UndefinedValue => false,
        LoopValue or BigInteger => true,
        _ => Length(value) is not 0,
    };

    /// <summary>Whether two values are equal.</summary>
    public bool AreEqual(object left, object right, int depth = 0)
    {
        Spend(1);
        CheckDepth(depth);
        if (Numbers.IsNumber(left) && Numbers.IsNumber(right))
            return CompareNumbers(left, right) == 0;
        switch (left, right)
        {
            case (string a, string b):
                Spend(Math.Min(a.Length, b.Length) / 16);
                return a == b;
            case (ListValue a, ListValue b):
                return AreEqual(a.Items, b.Items, depth);
            case (TupleValue a, TupleValue b):
                return AreEqual(a.Items, b.Items, depth);
            case (DictValue a, DictValue b):
                return a.Count == b.Count && a.Items.All(item => b.Find(item.Key) is { } other && AreEqual(item.Value, other, depth + 1));
            case (RangeValue a, RangeValue b):
                return a.Count == b.Count && (a.Count == 0 || (a.Start == b.Start && (a.Count == 1 || a.Step == b.Step)));
            case (UndefinedValue a, UndefinedValue b):
                return true;
            default:
                return ReferenceEquals(left, right);
        }
    }

    /// <summary>The order of two values; of some there is none, which is an error.</summary>
    public int Compare(object left, object right) => Compare(left, right, "<", 0);

    /// <summary>The result of a comparison: one of the six, or in.</summary>
    public bool Compare(string sign, object left, object right) => sign switch
    {
        "==" => AreEqual(left, right),
        "!=" => !AreEqual(left, right),
        "in" => Contains(right, left),
        "not in" => !Contains(right, left),
        _ when IsNan(left) || IsNan(right) => Numbers.IsNumber(left) && Numbers.IsNumber(right)
            ? false : Compare(left, right, sign, 0) < 0,
        "<" => Compare(left, right, sign, 0) < 0,
        "<=" => Compare(left, right, sign, 0) <= 0,
        ">" => Compare(left, right, sign, 0) > 0,
        _ => Compare(left, right, sign, 0) >= 0,
    };

    /// <summary>Whether a value has an item, a key, or a part.</summary>
    public bool Contains(object container, object item)
    {
        switch (container)
        {
            case string text:
                if (item is not string part)
                    throw new TemplateFailure($"'in <string>' requires string as left operand, not {TemplateText.TypeOf(item)}");
                Spend(text.Length / 16);
                return text.Contains(part, StringComparison.Ordinal);
            case DictValue dict:
                return dict.Find(item) is not null;
            default:
                return IsIterable(container) && container is not LoopValue ? Visit(container).Any(other => AreEqual(other, item))
                    : throw new TemplateFailure($"argument of type '{TemplateText.TypeOf(container)}' is not iterable");
        }
    }

    /// <summary>The result of an operator of arithmetic.</summary>
    public object Compute(string sign, object left, object right)
    {
        if (left is string format && sign == "%")
            return Made(PercentFormat.Of(this, format, right));
        (left, right) = (Defined(left), Defined(right));
        if (Numbers.IsNumber(left) && Numbers.IsNumber(right))
            return Numbers.Compute(sign, left, right, limits.Bits);
        if (sign == "*" && Numbers.IsWhole(right) && Repeat(left, right) is { } repeated)
            return repeated;
        if (sign == "*" && Numbers.IsWhole(left) && Repeat(right, left) is { } turned)
            return turned;
        switch (sign, left, right)
        {
            case ("+", string a, string b):
                CheckSize((long)a.Length + b.Length);
                return Made(a + b);
            case ("+", ListValue a, ListValue b):
                CheckSize((long)a.Items.Length + b.Items.Length);
                return new ListValue(Paid([.. a.Items, .. b.Items]));
            case ("+", TupleValue a, TupleValue b):
                CheckSize((long)a.Items.Length + b.Items.Length);
                return new TupleValue(Paid([.. a.Items, .. b.Items]));
            case ("*", string or ListValue or TupleValue, _):
                throw new TemplateFailure($"can't multiply sequence by non-int of type '{TemplateText.TypeOf(right)}'");
            case ("*", _, string or ListValue or TupleValue):
                throw new TemplateFailure($"can't multiply sequence by non-int of type '{TemplateText.TypeOf(left)}'");
            case ("+", string or ListValue or TupleValue, _):
                string type = TemplateText.TypeOf(left);
                throw new TemplateFailure($"can only concatenate {type} (not \"{TemplateText.TypeOf(right)}\") to {type}");
            default:
                string shown = sign == "**" ? "** or pow()" : sign;
                throw new TemplateFailure($"unsupported operand type(s) for {shown}: '{TemplateText.TypeOf(left)}' and "
                    + $"'{TemplateText.TypeOf(right)}'");
        }
    }

    /// <summary>A number with a sign before it.</summary>
    public static object Sign(bool negative, object value)
    {
        Defined(value);
        if (!Numbers.IsNumber(value))
            throw new TemplateFailure($"bad operand type for unary {(negative ? '-' : '+')}: '{TemplateText.TypeOf(value)}'");
        if (value is double number)
            return negative ? -number : number;
        return Numbers.Whole(negative ? -Numbers.Big(value) : Numbers.Big(value));
    }

    private static bool IsNan(object value) => value is double.NaN;

    private bool AreEqual(object[] left, object[] right, int depth)
    {
        if (left.Length != right.Length)
            return false;
        for (int i = 0; i < left.Length; i++)
        {
            if (!AreEqual(left[i], right[i], depth + 1))
                return false;
        }

        return true;
    }

    private int Compare(object left, object right, string sign, int depth)
    {
        Spend(1);
        CheckDepth(depth);
        (left, right) = (Defined(left), Defined(right));
        if (Numbers.IsNumber(left) && Numbers.IsNumber(right))
            return CompareNumbers(left, right);
        switch (left, right)
        {
            case (string a, string b):
                Spend(Math.Min(a.Length, b.Length) / 16);
                return PythonText.Compare(a, b);
            case (ListValue a, ListValue b):
                return Compare(a.Items, b.Items, sign, depth);
            case (TupleValue a, TupleValue b):
                return Compare(a.Items, b.Items, sign, depth);
            default:
                throw new TemplateFailure($"'{sign}' not supported between instances of '{TemplateText.TypeOf(left)}' and "
                    + $"'{TemplateText.TypeOf(right)}'");
        }
    }

    private int Compare(object[] left, object[] right, string sign, int depth)
    {
        for (int i = 0; i < Math.Min(left.Length, right.Length); i++)
        {
            if (!AreEqual(left[i], right[i], depth + 1))
                return Compare(left[i], right[i], sign, depth + 1);
        }

        return left.Length.CompareTo(right.Length);
    }

    /// <summary>The order of two numbers, exactly; what is not a number is unequal to all.</summary>
    private static int CompareNumbers(object left, object right)
    {
        if (left is long a && right is long b)
            return a.CompareTo(b);
        if (IsNan(left) || IsNan(right))
            return 1;
        if (Numbers.IsWhole(left) && Numbers.IsWhole(right))
            return Numbers.Big(left).CompareTo(Numbers.Big(right));
        if (left is double x && right is double y)
            return x.CompareTo(y) is int order && x == y ? 0 : order;
        if (right is double other)
            return -CompareNumbers(other, left);
        double number = (double)left;
        if (double.IsInfinity(number))
            return number > 0 ? 1 : -1;
        int whole = new BigInteger(Math.Floor(number)).CompareTo(Numbers.Big(right));
        return whole == 0 && number != Math.Floor(number) ? 1 : whole;
    }

    private object? Repeat(object value, object times)
    {
        long count = Math.Max(0, Numbers.Index(times, "counts"));
        switch (value)
        {
            case string text:
                CheckSize(text.Length * count);
                return Made(string.Concat(Enumerable.Repeat(text, text.Length == 0 ? 0 : (int)count)));
            case ListValue list:
                return new ListValue(Repeat(list.Items, count));
            case TupleValue tuple:
                return new TupleValue(Repeat(tuple.Items, count));
            default:
                return null;
        }
    }

    private object[] Repeat(object[] items, long count)
    {
        CheckSize(items.Length * count);
        Spend(items.Length * count);
        return items.Length == 0 ? [] : [.. Enumerable.Repeat(items, (int)count).SelectMany(all => all)];
    }

    private sealed class ValueComparer(TemplateRun run) : IEqualityComparer<object>
    {
        public new bool Equals(object? left, object? right) => run.AreEqual(left!, right!);

        public int GetHashCode(object value) => Hash(value, 0);

        private int Hash(object value, int depth)
        {
            run.Spend(1);
            run.CheckDepth(depth);
            switch (value)
            {
                case string text:
                    run.Spend(text.Length / 16);
                    return text.GetHashCode(StringComparison.Ordinal);
                case TupleValue tuple:
                    HashCode hash = default;
                    foreach (object item in tuple.Items)
                        hash.Add(Hash(item, depth + 1));
                    return hash.ToHashCode();
                case ListValue or DictValue:
                    throw new TemplateFailure($"unhashable type: '{TemplateText.TypeOf(value)}'");
                case UndefinedValue:
                    return 1;
                default:
                    return Numbers.IsNumber(value) ? HashNumber(value) : value.GetHashCode();
            }
        }

        private static int HashNumber(object value) => (value is double number ? number : (double)Numbers.Big(value)).GetHashCode();
    }
}
