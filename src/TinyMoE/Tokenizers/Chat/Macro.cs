namespace TinyMoE.Tokenizers.Chat;

/// <summary>A parameter of a macro; without a default it is undefined where it is not given.</summary>
internal sealed record MacroParameter(string Name, Expression? Default);

/// <summary>
/// Statements that are called by a name and give what they write. What is given beyond the parameters is varargs, kwargs and caller, where
/// the body <paramref name="looksAt"/> those names, and else an error.
/// </summary>
internal sealed class Macro(
    string name, IReadOnlyList<MacroParameter> parameters, IReadOnlyList<Statement> body, IReadOnlySet<string> looksAt)
{
    /// <summary>The macro as a value; its body sees the names of the scope it was defined in.</summary>
    public FunctionValue In(Scope scope) => new(
        "Macro", name, (run, arguments) => run.Made(run.Capture(body, scope, () => SetParameters(run, arguments))));

    private void SetParameters(TemplateRun run, Arguments arguments)
    {
        int given = Math.Min(arguments.Positional.Count, parameters.Count);
        if (arguments.Positional.Count > given && !looksAt.Contains("varargs"))
            throw new TemplateFailure($"macro '{name}' takes not more than {parameters.Count} argument(s)");
        List<KeyValuePair<string, object>> named = [.. arguments.Named];
        for (int i = 0; i < parameters.Count; i++)
        {
            MacroParameter parameter = parameters[i];
            object? value = i < given ? arguments.Positional[i] : Take(named, parameter.Name);
            run.Scope.Set(parameter.Name, value ?? parameter.Default?.Value(run)
                ?? new UndefinedValue($"parameter '{parameter.Name}' was not provided"));
        }

        if (looksAt.Contains("caller"))
            run.Scope.Set("caller", Take(named, "caller") ?? new UndefinedValue("No caller defined"));
        if (named.Count > 0 && !looksAt.Contains("kwargs"))
        {
            throw new TemplateFailure(named.Any(item => item.Key == "caller")
                ? $"macro '{name}' was invoked with two values for the special caller argument. This is most likely a bug."
                : $"macro '{name}' takes no keyword argument '{named[0].Key}'");
        }

        if (looksAt.Contains("varargs"))
            run.Scope.Set("varargs", new TupleValue([.. arguments.Positional.Skip(given)]));
        if (!looksAt.Contains("kwargs"))
            return;
        DictValue others = new(run);
        foreach ((string key, object value) in named)
            others.Set(key, value);
        run.Scope.Set("kwargs", others);
    }

    private static object? Take(List<KeyValuePair<string, object>> named, string name)
    {
        int place = named.FindIndex(item => item.Key == name);
        if (place < 0)
            return null;
        object value = named[place].Value;
        named.RemoveAt(place);
        return value;
    }
}
