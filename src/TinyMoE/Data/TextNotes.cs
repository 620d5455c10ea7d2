namespace TinyMoE.Data;

/// <summary>What a person should know of how files were read: what was done, and to which of them.</summary>
internal sealed class TextNotes
{
    private const int MostNames = 3; // of a kind; other files are counted

    private readonly List<Kind> kinds = [];

    /// <summary>Lines, one per kind.</summary>
    public IReadOnlyList<string> Lines => [.. kinds.Select(kind => kind.ToString())];

    /// <summary>Notes that this was done to a file, or to a folder.</summary>
    public void Add(string file, string what)
    {
        Kind? kind = kinds.Find(kind => kind.What == what);
        if (kind is null)
            kinds.Add(kind = new Kind(what));
        kind.Add(file);
    }

    private sealed class Kind(string what)
    {
        private readonly List<string> files = [];
        private readonly HashSet<string> seen = [];

        public string What => what;

        public void Add(string file)
        {
            if (seen.Add(file) && files.Count < MostNames)
                files.Add(file);
        }

        public override string ToString() =>
            string.Join(", ", files) + (seen.Count > files.Count ? $" and {seen.Count - files.Count} more" : "") + ": " + what;
    }
}
