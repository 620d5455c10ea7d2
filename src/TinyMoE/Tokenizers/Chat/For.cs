namespace TinyMoE.Tokenizers.Chat;

/// <summary>
/// {% for target in items if test %} body {% else %} otherwise {% endfor %}: every item has a scope of its own; with recursive, loop(items)
/// in the body gives what the same body writes for other items.
/// </summary>
internal sealed class For(
    int line, Expression target, Expression items, Expression? test, bool isRecursive, IReadOnlyList<Statement> body,
    IReadOnlyList<Statement> otherwise) : Statement(line)
{
    /// <inheritdoc/>
    public override Flow Execute(TemplateRun run)
    {
        Loop(run, items.Value(run), depth: 0);
        return Flow.Next;
    }

    private void Loop(TemplateRun run, object value, int depth)
    {
        object[] all = test is null ? run.Items(value) : [.. run.Visit(value).Where(item => Passes(run, item))];
        bool ended = false; // an item up to the end of the body: as in Jinja, not by continue or break
        LoopValue loop = new(all, depth, isRecursive ? Again : null);
        for (int i = 0; i < all.Length; i++)
        {
            run.Spend(1);
            Scope before = run.Enter();
            try
            {
                loop.Index = i;
                Assign(run, target, all[i]);
                run.Scope.Set("loop", loop);
                Flow flow = Run(body, run);
                ended |= flow == Flow.Next;
                if (flow == Flow.Break)
                    break;
            }
            finally
            {
                run.Leave(before);
            }
        }

        if (!ended)
            Otherwise(run);

        object Again(TemplateRun running, Arguments arguments)
        {
            object again = arguments.Bind("loop", "iterable")[0]!;
            return running.Made(running.Capture([], running.Scope, () => Loop(running, again, depth + 1)));
        }
    }

    private bool Passes(TemplateRun run, object item)
    {
        Scope before = run.Enter();
        try
        {
            Assign(run, target, item);
            return run.IsTrue(test!.Value(run));
        }
        finally
        {
            run.Leave(before);
        }
    }

    private void Otherwise(TemplateRun run)
    {
        Scope before = run.Enter();
        try
        {
            Run(otherwise, run);
        }
        finally
        {
            run.Leave(before);
        }
    }
}

/// <summary>What a loop's body sees as loop.</summary>
internal sealed class LoopValue(object[] items, int depth, Func<TemplateRun, Arguments, object>? again) : ObjectValue
{
    private object? seen; // by changed

    /// <summary>The place of the item at hand, from 0.</summary>
    public int Index { get; set; }

    /// <summary>Number of items.</summary>
    public int Length => items.Length;

    /// <inheritdoc/>
    public override string TypeName => "LoopContext";

    /// <inheritdoc/>
    public override Func<TemplateRun, Arguments, object>? Call => again ?? ((_, _) => throw new TemplateFailure(
        "The loop must have the 'recursive' marker to be called recursively."));

    /// <inheritdoc/>
    public override object? Attribute(TemplateRun run, string name) => name switch
    {
        "index" => Index + 1L,
        "index0" => (long)Index,
        "revindex" => (long)items.Length - Index,
        "revindex0" => (long)items.Length - Index - 1,
        "first" => Index == 0,
        "last" => Index == items.Length - 1,
        "length" => (long)items.Length,
        "depth" => depth + 1L,
        "depth0" => (long)depth,
        "previtem" => Index > 0 ? items[Index - 1] : new UndefinedValue("there is no previous item"),
        "nextitem" => Index < items.Length - 1 ? items[Index + 1] : new UndefinedValue("there is no next item"),
        "cycle" => new FunctionValue("method", name, (_, arguments) => arguments.Positional.Count == 0
            ? throw new TemplateFailure("no items for cycling given") : arguments.Positional[Index % arguments.Positional.Count]),
        "changed" => new FunctionValue("method", name, Changed),
        _ => null,
    };

    private object Changed(TemplateRun run, Arguments arguments)
    {
        TupleValue now = new([.. arguments.Positional]);
        bool changed = seen is null || !run.AreEqual(seen, now);
        seen = now;
        return changed;
    }
}
