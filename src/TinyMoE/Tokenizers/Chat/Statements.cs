namespace TinyMoE.Tokenizers.Chat;

/// <summary>How a statement ends.</summary>
internal enum Flow
{
    /// <summary>The next one follows.</summary>
    Next,

    /// <summary>The loop around it ends.</summary>
    Break,

    /// <summary>The loop around it goes on with its next item.</summary>
    Continue,
}

/// <summary>A part of a template that does something.</summary>
internal abstract class Statement(int line)
{
    /// <summary>Its line in the template, from 1.</summary>
    public int Line { get; } = line;

    /// <summary>Does it.</summary>
    public abstract Flow Execute(TemplateRun run);

    /// <summary>Does one after another, until one leaves the loop around them.</summary>
    public static Flow Run(IReadOnlyList<Statement> body, TemplateRun run)
    {
        foreach (Statement statement in body)
        {
            try
            {
                run.Spend(1);
                Flow flow = statement.Execute(run);
                if (flow != Flow.Next)
                    return flow;
            }
            catch (TemplateFailure failure) when (failure.Line == 0)
            {
                failure.Line = statement.Line;
                throw;
            }
        }

        return Flow.Next;
    }

    /// <summary>Gives names values: one, or several that a value is unpacked into.</summary>
    protected static void Assign(TemplateRun run, Expression target, object value)
    {
        switch (target)
        {
            case Name name:
                run.Scope.Set(name.Text, value);
                break;
            case NamespaceName name:
                if (run.Scope.Find(name.Space) is not NamespaceValue space)
                    throw new TemplateFailure("cannot assign attribute on non-namespace object");
                space.Names[name.Text] = value;
                break;
            case Sequence names:
                if (!TemplateRun.IsIterable(value))
                    throw new TemplateFailure($"cannot unpack non-iterable {TemplateText.TypeOf(value)} object");
                object[] items = run.Items(value);
                if (items.Length > names.Items.Count)
                    throw new TemplateFailure($"too many values to unpack (expected {names.Items.Count})");
                if (items.Length < names.Items.Count)
                    throw new TemplateFailure($"not enough values to unpack (expected {names.Items.Count}, got {items.Length})");
                for (int i = 0; i < items.Length; i++)
                    Assign(run, names.Items[i], items[i]);
                break;
        }
    }
}

/// <summary>Text as it stands.</summary>
internal sealed class TextStatement(int line, string text) : Statement(line)
{
    /// <inheritdoc/>
    public override Flow Execute(TemplateRun run)
    {
        run.Write(text);
        return Flow.Next;
    }
}

/// <summary>{{ value }}.</summary>
internal sealed class Print(int line, Expression value) : Statement(line)
{
    /// <inheritdoc/>
    public override Flow Execute(TemplateRun run)
    {
        run.Write(TemplateText.Of(run, value.Value(run)));
        return Flow.Next;
    }
}

/// <summary>{% if %}, {% elif %}, {% else %}: tests with what follows each, and the rest.</summary>
internal sealed class If(
    int line, IReadOnlyList<(Expression Test, IReadOnlyList<Statement> Body)> branches, IReadOnlyList<Statement> otherwise)
    : Statement(line)
{
    /// <inheritdoc/>
    public override Flow Execute(TemplateRun run)
    {
        foreach ((Expression test, IReadOnlyList<Statement> body) in branches)
        {
            if (run.IsTrue(test.Value(run)))
                return Run(body, run);
        }

        return Run(otherwise, run);
    }
}

/// <summary>{% break %} and {% continue %}.</summary>
internal sealed class Leave(int line, Flow flow) : Statement(line)
{
    /// <inheritdoc/>
    public override Flow Execute(TemplateRun run) => flow;
}

/// <summary>{% set a = value %}.</summary>
internal sealed class Set(int line, Expression target, Expression value) : Statement(line)
{
    /// <inheritdoc/>
    public override Flow Execute(TemplateRun run)
    {
        Assign(run, target, value.Value(run));
        return Flow.Next;
    }
}

/// <summary>{% set a %} body {% endset %}, with a filter or without.</summary>
internal sealed class SetBlock(int line, Expression target, FilterOf? filter, IReadOnlyList<Statement> body) : Statement(line)
{
    /// <inheritdoc/>
    public override Flow Execute(TemplateRun run)
    {
        string text = run.Capture(body, run.Scope);
        Assign(run, target, filter is null ? text : filter.Apply(run, text));
        return Flow.Next;
    }
}

/// <summary>{% filter name %} body {% endfilter %}.</summary>
internal sealed class FilterBlock(int line, FilterOf filter, IReadOnlyList<Statement> body) : Statement(line)
{
    /// <inheritdoc/>
    public override Flow Execute(TemplateRun run)
    {
        run.Write(TemplateText.Of(run, filter.Apply(run, run.Capture(body, run.Scope))));
        return Flow.Next;
    }
}

/// <summary>{% with a = value %} body {% endwith %}; without names, and as {% generation %}, a scope alone.</summary>
internal sealed class With(
    int line, IReadOnlyList<(Expression Target, Expression Value)> names, IReadOnlyList<Statement> body) : Statement(line)
{
    /// <inheritdoc/>
    public override Flow Execute(TemplateRun run)
    {
        object[] values = [.. names.Select(name => name.Value.Value(run))]; // all of them in the scope around
        Scope before = run.Enter();
        try
        {
            for (int i = 0; i < values.Length; i++)
                Assign(run, names[i].Target, values[i]);
            return Run(body, run);
        }
        finally
        {
            run.Leave(before);
        }
    }
}

/// <summary>{% macro name(parameters) %} body {% endmacro %}.</summary>
internal sealed class MacroStatement(int line, string name, Macro macro) : Statement(line)
{
    /// <inheritdoc/>
    public override Flow Execute(TemplateRun run)
    {
        run.Scope.Set(name, macro.In(run.Scope));
        return Flow.Next;
    }
}

/// <summary>{% call(parameters) macro(arguments) %} body {% endcall %}: the macro calls the body as caller.</summary>
internal sealed class CallBlock(int line, Call call, Macro caller) : Statement(line)
{
    /// <inheritdoc/>
    public override Flow Execute(TemplateRun run)
    {
        run.Write(TemplateText.Of(run, call.Value(run, caller.In(run.Scope))));
        return Flow.Next;
    }
}
