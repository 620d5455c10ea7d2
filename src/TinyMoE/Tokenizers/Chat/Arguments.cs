namespace TinyMoE.Tokenizers.Chat;

/// <summary>What a function, a filter or a test is given.</summary>
internal sealed class Arguments(IReadOnlyList<object> positional, IReadOnlyList<KeyValuePair<string, object>> named)
{
    /// <summary>No arguments.</summary>
    public static Arguments None { get; } = new([], []);

    /// <summary>Arguments without names.</summary>
    public IReadOnlyList<object> Positional { get; } = positional;

    /// <summary>Arguments with names.</summary>
    public IReadOnlyList<KeyValuePair<string, object>> Named { get; } = named;

    /// <summary>
    /// The arguments in the order of these names, null for those that are not given; one whose name ends in a question mark may be left
    /// out. What is left over is an error as Python has it.
    /// </summary>
    public object?[] Bind(string function, params ReadOnlySpan<string> names)
    {
        if (Positional.Count > names.Length)
        {
            string most = names.Length == 1 ? "1 argument" : $"{names.Length} arguments";
            throw new TemplateFailure($"{function}() takes at most {most} ({Positional.Count} given)");
        }

        object?[] bound = new object?[names.Length];
        for (int i = 0; i < Positional.Count; i++)
            bound[i] = Positional[i];
        foreach ((string name, object value) in Named)
        {
            int place = IndexOf(names, name);
            if (place < 0)
                throw new TemplateFailure($"{function}() got an unexpected keyword argument '{name}'");
            if (bound[place] is not null)
                throw new TemplateFailure($"{function}() got multiple values for argument '{name}'");
            bound[place] = value;
        }

        for (int i = 0; i < names.Length; i++)
        {
            if (bound[i] is null && !names[i].EndsWith('?'))
                throw new TemplateFailure($"{function}() missing 1 required positional argument: '{names[i]}'");
        }

        return bound;
    }

    /// <summary>The arguments after the first <paramref name="count"/> without names.</summary>
    public Arguments Skip(int count) => new([.. Positional.Skip(count)], Named);

    private static int IndexOf(ReadOnlySpan<string> names, string name)
    {
        for (int i = 0; i < names.Length; i++)
        {
            if (names[i].AsSpan().TrimEnd('?').SequenceEqual(name))
                return i;
        }

        return -1;
    }
}
