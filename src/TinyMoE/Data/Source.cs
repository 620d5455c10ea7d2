using TinyMoE.Configuration;

namespace TinyMoE.Data;

/// <summary>
/// An entry of <see cref="DataConfig.Sources"/>: a path, a glob or <see cref="DataConfig.SdkDocs"/>, alone or as <c>name=path</c>.
/// </summary>
/// <param name="Path">What to read.</param>
/// <param name="GivenName">What it is called; null if it has no name of its own.</param>
internal readonly record struct Source(string Path, string? GivenName)
{
    /// <summary>Whether the source is the built-in text.</summary>
    public bool IsSdkDocs => Path == DataConfig.SdkDocs;

    /// <summary>
    /// The name of the source: the given one, else the last name of the path, of a file without extension, of a glob the last before a
    /// wildcard.
    /// </summary>
    public string Name => GivenName ?? NameOf(Path);

    /// <summary>
    /// The source that an entry names. What exists is a path, even with an = in its name; so is <c>./a=b</c>, since names have no
    /// separators.
    /// </summary>
    public static Source Parse(string entry)
    {
        int equals = entry.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0 || equals == entry.Length - 1 || entry.AsSpan(0, equals).ContainsAny("/\\*?") || Exists(entry))
            return new Source(entry, null);
        return new Source(entry[(equals + 1)..], entry[..equals]);
    }

    /// <summary>
    /// An entry that names the same text from any working directory: its path is made absolute, its name stays. What has no name but the
    /// working directory's (<c>.</c>, <c>*.txt</c>) is called as that folder is.
    /// </summary>
    public static string Absolute(string entry)
    {
        Source source = Parse(entry);
        if (source.IsSdkDocs || string.IsNullOrWhiteSpace(source.Path) || source.Path.Contains('\0', StringComparison.Ordinal))
            return entry; // the built-in text; or what is refused, as it was given
        string path = System.IO.Path.GetFullPath(source.Path);
        return source.GivenName is { } name ? $"{name}={path}" : path;
    }

    /// <summary>The name of a file without extension; a name that is only an extension is kept.</summary>
    public static string NameOfFile(string path) =>
        System.IO.Path.GetFileNameWithoutExtension(path) is { Length: > 0 } name ? name : System.IO.Path.GetFileName(path);

    /// <summary>The names of a path or glob, one folder after the other.</summary>
    public static string[] Names(string path) => path.Split('/', System.IO.Path.DirectorySeparatorChar);

    /// <summary>Whether a name has a wildcard.</summary>
    public static bool IsPattern(string name) => name.AsSpan().ContainsAny('*', '?');

    /// <summary>
    /// How many of a glob's names are the folder that it begins in: those before the first wildcard that is not in the name of a folder.
    /// </summary>
    public static int FixedNames(string[] names)
    {
        int count = Array.FindIndex(names, IsPattern);
        while (count < names.Length - 1 && Directory.Exists(string.Join('/', names[..(count + 1)])))
            count++;
        return count;
    }

    // Of a glob, the folder that holds the = must exist.
    private static bool Exists(string entry)
    {
        if (File.Exists(entry))
            return true;
        string fixedPath = IsPattern(entry) ? string.Join('/', Names(entry)[..FixedNames(Names(entry))]) : entry;
        return fixedPath.Contains('=', StringComparison.Ordinal) && Directory.Exists(fixedPath);
    }

    private static string NameOf(string path)
    {
        if (File.Exists(path))
            return NameOfFile(path);
        string folder = IsPattern(path) && !Directory.Exists(path) ? string.Join('/', Names(path)[..FixedNames(Names(path))]) : path;
        string name = System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(folder));
        return name is "" or "." or ".." ? path : name;
    }
}
