namespace TinyMoE.Data;

/// <summary>
/// The domains of the built-in text: the first two names of each type's namespace (System.Collections, Microsoft.Win32). The largest seven
/// are labels, all others together are <c>other</c>.
/// </summary>
internal sealed class DocDomains
{
    private const int Largest = 7;
    private const string Other = "other";

    private readonly HashSet<string> types;
    private readonly List<(string Domain, int End)> stretches = []; // one per type, in the order of the text
    private readonly Dictionary<string, int> sizes = [];            // bytes, by domain
    private int start;

    /// <summary>No text yet; the full names of all types tell a namespace from a type that holds another.</summary>
    public DocDomains(IEnumerable<string> types) => this.types = [.. types];

    /// <summary>The text up to before <paramref name="end"/> is about this type.</summary>
    public void Add(string type, int end)
    {
        string domain = Of(type);
        sizes[domain] = sizes.GetValueOrDefault(domain) + end - start;
        stretches.Add((domain, end));
        start = end;
    }

    /// <summary>Adds the stretches of the text, each with its domain as label.</summary>
    public void Label(LabelledText text, int? part)
    {
        var bySize = sizes.OrderByDescending(size => size.Value).ThenBy(size => size.Key, StringComparer.Ordinal);
        HashSet<string> largest = [.. bySize.Take(Largest).Select(size => size.Key)];
        foreach ((string domain, int end) in stretches)
            text.Label(end, largest.Contains(domain) ? domain : Other, part);
    }

    // The names before those of the outermost type: in System.Environment.SpecialFolder, System.Environment is a type and System the
    // namespace.
    private string Of(string type)
    {
        string[] names = type.Split('.');
        int depth = 1;
        while (depth < names.Length - 1 && !types.Contains(string.Join('.', names[..(depth + 1)])))
            depth++;
        return string.Join('.', names[..Math.Min(depth, 2)]);
    }
}
