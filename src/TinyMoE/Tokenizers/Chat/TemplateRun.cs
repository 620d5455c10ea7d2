using System.Runtime.CompilerServices;
using System.Text;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>Names with their values, inside those of a scope around it.</summary>
internal sealed class Scope(Scope? around)
{
    private readonly Dictionary<string, object> names = new(StringComparer.Ordinal);

    /// <summary>The value of a name, here or further out; null: it has none.</summary>
    public object? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Around)
        {
            if (scope.names.TryGetValue(name, out object? value))
                return value;
        }

        return null;
    }

    /// <summary>The scope around it.</summary>
    public Scope? Around { get; } = around;

    /// <summary>Gives a name a value in this scope.</summary>
    public void Set(string name, object value) => names[name] = value;
}

/// <summary>
/// One rendering of a template: the scope, the text so far, and what is left of the steps that it may take. What values do in Python is
/// here too, as some of it takes steps: access, comparisons and operators.
/// </summary>
internal sealed partial class TemplateRun
{
    private readonly TemplateLimits limits;
    private long steps;
    private int calls;

    /// <summary>A rendering at a point in time, by which strftime_now goes; null: it asks the clock.</summary>
    public TemplateRun(TemplateLimits limits, DateTime? now)
    {
        (this.limits, steps, Now) = (limits, limits.Steps, now);
        Comparer = new ValueComparer(this);
        Scope = new Scope(TemplateFunctions.Globals);
    }

    /// <summary>The time that strftime_now tells; null: the clock's.</summary>
    public DateTime? Now { get; }

    /// <summary>What is written goes here; a macro and a block have a text of their own.</summary>
    public StringBuilder Output { get; private set; } = new();

    /// <summary>The names that are known at this place.</summary>
    public Scope Scope { get; private set; }

    /// <summary>Limits of whole numbers, in bits.</summary>
    public int Bits => limits.Bits;

    /// <summary>Takes steps; too many of them are an error.</summary>
    public void Spend(long count)
    {
        steps -= 1 + Math.Max(0, count);
        if (steps < 0)
            throw new TemplateFailure($"it takes more than {limits.Steps:N0} steps; does a loop or a macro repeat itself?");
    }

    /// <summary>A number of characters or items that is too large is an error.</summary>
    public void CheckSize(long size)
    {
        if (size > limits.Size)
            throw new TemplateFailure($"a text or a list gets longer than {limits.Size:N0}");
    }

    /// <summary>Values inside one another that are too deep are an error.</summary>
    public void CheckDepth(int depth)
    {
        if (depth > limits.Depth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new TemplateFailure($"values lie more than {limits.Depth} deep inside one another");
    }

    /// <summary>A range that is too long is an error, as in the original's sandbox.</summary>
    public void CheckRange(long count)
    {
        if (count > limits.Range)
            throw new TemplateFailure($"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({limits.Range}).");
    }

    /// <summary>A text that was made: its length is checked, and paid for.</summary>
    public string Made(string text)
    {
        CheckSize(text.Length);
        Spend(text.Length / 16);
        return text;
    }

    /// <summary>Writes text.</summary>
    public void Write(string text)
    {
        CheckSize(Output.Length + (long)text.Length);
        Spend(text.Length / 16);
        Output.Append(text);
    }

    /// <summary>Goes into a scope inside the one at hand, or inside another; gives the one to come back to.</summary>
    public Scope Enter(Scope? around = null)
    {
        Scope before = Scope;
        Scope = new Scope(around ?? Scope);
        return before;
    }

    /// <summary>Goes back to a scope.</summary>
    public void Leave(Scope before) => Scope = before;

    /// <summary>What statements write, in a scope of their own; <paramref name="prepare"/> sets its first names.</summary>
    public string Capture(IReadOnlyList<Statement> body, Scope around, Action? prepare = null)
    {
        if (++calls > limits.Calls || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new TemplateFailure($"macros call one another more than {limits.Calls} deep");
        StringBuilder before = Output;
        Scope scope = Enter(around);
        Output = new StringBuilder();
        try
        {
            prepare?.Invoke();
            Statement.Run(body, this);
            return Output.ToString();
        }
        finally
        {
            Output = before;
            Leave(scope);
            calls--;
        }
    }

    /// <summary>Calls a value.</summary>
    public object Call(object function, Arguments arguments)
    {
        Spend(1);
        Func<TemplateRun, Arguments, object>? call = function switch
        {
            FunctionValue known => known.Call,
            ObjectValue other => other.Call,
            UndefinedValue undefined => throw new TemplateFailure(undefined.Message),
            _ => null,
        };
        return call is not null ? call(this, arguments)
            : throw new TemplateFailure($"'{TemplateText.TypeOf(function)}' object is not callable");
    }

    /// <summary>Refuses what is undefined.</summary>
    public static object Defined(object value) =>
        value is UndefinedValue undefined ? throw new TemplateFailure(undefined.Message) : value;
}
