namespace TinyMoE.Data;

/// <summary>Documentation ids (<c>M:System.Collections.Generic.List`1.Add(`0)</c>) as people write names (<c>List.Add</c>).</summary>
internal static class DocNames
{
    /// <summary>
    /// The readable name: a type without its namespace, a member with its type, a constructor as its type, a namespace in full; without
    /// generic arity and parameters.
    /// </summary>
    public static string Readable(string id)
    {
        (char kind, string[] names) = Split(id);
        return kind switch
        {
            'N' => string.Join('.', names),
            _ when names.Length == 1 || kind is 'T' or '!' => names[^1],
            _ when names[^1] is "ctor" or "cctor" => names[^2],
            _ => $"{names[^2]}.{(names[^1].StartsWith("op_", StringComparison.Ordinal) ? names[^1][3..] : names[^1])}",
        };
    }

    /// <summary>The full name of the type that the id is or belongs to.</summary>
    public static string TypeOf(string id)
    {
        (char kind, string[] names) = Split(id);
        return string.Join('.', kind is 'T' or 'N' or '!' ? names : names[..^1]);
    }

    // The kind of thing (T type, M method, P property, F field, E event, N namespace, O overloads) and the names on the way to it.
    private static (char Kind, string[] Names) Split(string id)
    {
        (char kind, string name) = id.Length > 2 && id[1] == ':' ? (id[0], id[2..]) : ('T', id);
        int end = name.AsSpan().IndexOfAny('(', '~');
        string[] names = (end < 0 ? name : name[..end]).Split('.');
        for (int i = 0; i < names.Length; i++)
        {
            string part = names[i];
            int arity = part.IndexOf('`', StringComparison.Ordinal);
            part = arity < 0 ? part : part[..arity];
            names[i] = part[(part.LastIndexOf('#') + 1)..]; // #ctor; System#IDisposable#Dispose, an interface's member
        }

        return (kind, names);
    }
}
