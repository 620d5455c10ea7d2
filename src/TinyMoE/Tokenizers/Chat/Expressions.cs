using System.Runtime.CompilerServices;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>A part of a template that has a value.</summary>
internal abstract class Expression(int line)
{
    /// <summary>Its line in the template, from 1.</summary>
    public int Line { get; } = line;

    /// <summary>Its value.</summary>
    public object Value(TemplateRun run)
    {
        run.Spend(1);
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new TemplateFailure("expressions and macros lie too deep inside one another", Line);
        try
        {
            return Compute(run);
        }
        catch (TemplateFailure failure) when (failure.Line == 0)
        {
            failure.Line = Line;
            throw;
        }
    }

    /// <summary>Works the value out.</summary>
    protected abstract object Compute(TemplateRun run);
}

/// <summary>A literal.</summary>
internal sealed class Constant(int line, object value) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => value;
}

/// <summary>A name.</summary>
internal sealed class Name(int line, string name) : Expression(line)
{
    /// <summary>The name.</summary>
    public string Text { get; } = name;

    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => run.Scope.Find(Text) ?? new UndefinedValue($"'{Text}' is undefined");
}

/// <summary>The name of a namespace and of what it gives a value to; stands on the left of a set only.</summary>
internal sealed class NamespaceName(int line, string space, string name) : Expression(line)
{
    /// <summary>The name of the namespace.</summary>
    public string Space { get; } = space;

    /// <summary>The name in the namespace.</summary>
    public string Text { get; } = name;

    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) =>
        throw new TemplateFailure("a name of a namespace stands on the left of a set only");
}

/// <summary>A list or a tuple.</summary>
internal sealed class Sequence(int line, IReadOnlyList<Expression> items, bool isTuple) : Expression(line)
{
    /// <summary>What it is made of.</summary>
    public IReadOnlyList<Expression> Items { get; } = items;

    /// <summary>It is a tuple, no list.</summary>
    public bool IsTuple { get; } = isTuple;

    /// <inheritdoc/>
    protected override object Compute(TemplateRun run)
    {
        object[] values = [.. Items.Select(item => item.Value(run))];
        return IsTuple ? new TupleValue(values) : new ListValue(values);
    }
}

/// <summary>A dict.</summary>
internal sealed class Mapping(int line, IReadOnlyList<KeyValuePair<Expression, Expression>> items) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run)
    {
        DictValue dict = new(run);
        foreach ((Expression key, Expression value) in items)
            dict.Set(key.Value(run), value.Value(run));
        return dict;
    }
}

/// <summary>value.name.</summary>
internal sealed class AttributeOf(int line, Expression value, string name) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => run.Attribute(value.Value(run), name);
}

/// <summary>value[key].</summary>
internal sealed class ItemOf(int line, Expression value, Expression key) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => run.Item(value.Value(run), key.Value(run));
}

/// <summary>value[start:stop:step].</summary>
internal sealed class SliceOf(int line, Expression value, Expression? start, Expression? stop, Expression? step) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => run.Slice(value.Value(run), Of(start, run), Of(stop, run), Of(step, run));

    private static object Of(Expression? bound, TemplateRun run) => bound?.Value(run) ?? NoneValue.Instance;
}

/// <summary>Arguments as they stand in a template: with and without names, and *all, **all.</summary>
internal sealed record ArgumentList(
    IReadOnlyList<Expression> Positional, IReadOnlyList<KeyValuePair<string, Expression>> Named, Expression? All, Expression? AllNamed)
{
    /// <summary>No arguments.</summary>
    public static ArgumentList None { get; } = new([], [], null, null);

    /// <summary>Works the arguments out; <paramref name="first"/>, where there is one, stands before them.</summary>
    public Arguments Value(TemplateRun run, object? first = null)
    {
        List<object> values = first is null ? [] : [first];
        values.AddRange(Positional.Select(item => item.Value(run)));
        List<KeyValuePair<string, object>> named = [.. Named.Select(item => KeyValuePair.Create(item.Key, item.Value.Value(run)))];
        if (All is not null)
            values.AddRange(run.Visit(All.Value(run)));
        if (AllNamed is not null)
        {
            if (AllNamed.Value(run) is not DictValue dict)
                throw new TemplateFailure("argument after ** must be a mapping");
            named.AddRange(dict.Items.Select(item => KeyValuePair.Create(TemplateText.Of(run, item.Key), item.Value)));
        }

        return new Arguments(values, named);
    }
}

/// <summary>function(arguments).</summary>
internal sealed class Call(int line, Expression function, ArgumentList arguments) : Expression(line)
{
    /// <summary>The value with a caller, as a call block hands it over.</summary>
    public object Value(TemplateRun run, FunctionValue caller)
    {
        Arguments given = arguments.Value(run);
        List<KeyValuePair<string, object>> named = [.. given.Named, KeyValuePair.Create("caller", (object)caller)];
        return run.Call(function.Value(run), new Arguments(given.Positional, named));
    }

    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => run.Call(function.Value(run), arguments.Value(run));
}

/// <summary>value | name(arguments); without a value it filters what a block wrote.</summary>
internal sealed class FilterOf(int line, Expression? value, string name, ArgumentList arguments) : Expression(line)
{
    /// <summary>Filters a text, through the filters that stand before this one too.</summary>
    public object Apply(TemplateRun run, object text)
    {
        try
        {
            object given = value is FilterOf before ? before.Apply(run, text) : text;
            return Filters.Apply(run, name, arguments.Value(run, given));
        }
        catch (TemplateFailure failure) when (failure.Line == 0)
        {
            failure.Line = Line;
            throw;
        }
    }

    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => Filters.Apply(run, name, arguments.Value(run, value!.Value(run)));
}

/// <summary>value is name(arguments).</summary>
internal sealed class TestOf(int line, Expression value, string name, ArgumentList arguments) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => ValueTests.Holds(run, name, arguments.Value(run, value.Value(run)));
}

/// <summary>An operator of arithmetic between two values.</summary>
internal sealed class Arithmetic(int line, string sign, Expression left, Expression right) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => run.Compute(sign, left.Value(run), right.Value(run));
}

/// <summary>A sign before a value.</summary>
internal sealed class Signed(int line, bool negative, Expression value) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => TemplateRun.Sign(negative, value.Value(run));
}

/// <summary>Values as text, one after another: a ~ b.</summary>
internal sealed class Concatenation(int line, IReadOnlyList<Expression> parts) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run)
    {
        string[] texts = [.. parts.Select(part => TemplateText.Of(run, part.Value(run)))];
        run.CheckSize(texts.Sum(text => (long)text.Length));
        return run.Made(string.Concat(texts));
    }
}

/// <summary>Comparisons in a row, each of neighbours: a &lt; b &lt; c.</summary>
internal sealed class Comparison(int line, Expression first, IReadOnlyList<(string Sign, Expression Right)> rest) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run)
    {
        object left = first.Value(run);
        foreach ((string sign, Expression other) in rest)
        {
            object right = other.Value(run);
            if (!run.Compare(sign, left, right))
                return false;
            left = right;
        }

        return true;
    }
}

/// <summary>a and b, a or b: the value that decides.</summary>
internal sealed class Junction(int line, bool isAnd, Expression left, Expression right) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run)
    {
        object value = left.Value(run);
        return run.IsTrue(value) == isAnd ? right.Value(run) : value;
    }
}

/// <summary>not a.</summary>
internal sealed class Negation(int line, Expression value) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => !run.IsTrue(value.Value(run));
}

/// <summary>a if test else b; without else undefined.</summary>
internal sealed class Conditional(int line, Expression test, Expression value, Expression? otherwise) : Expression(line)
{
    /// <inheritdoc/>
    protected override object Compute(TemplateRun run) => run.IsTrue(test.Value(run)) ? value.Value(run)
        : otherwise is not null ? otherwise.Value(run) : new UndefinedValue(
            $"the inline if-expression on line {Line} evaluated to false and no else section was defined.");
}
