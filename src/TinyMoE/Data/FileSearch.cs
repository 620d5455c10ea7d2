using System.IO.Enumeration;
using TinyMoE.Files;

namespace TinyMoE.Data;

/// <summary>
/// Finds the files that a source names, in the ordinal order of their paths. Runs and checkpoints of TinyMoE in folders are no text: they
/// are left out, with a note.
/// </summary>
internal static class FileSearch
{
    private const string LeftOut = "left out, a run of tinymoe is no text";

    /// <summary>The files that a source names, at least one.</summary>
    public static IReadOnlyList<string> Files(string source, TextNotes notes, CancellationToken stop = default)
    {
        if (File.Exists(source))
            return [source];
        try
        {
            if (Directory.Exists(source))
                return Kept(source, source, Enumerate(source, ["**"], stop), notes);
            if (!Source.IsPattern(source))
                throw NotThere(source);
            (string folder, string[] pattern) = Split(source);
            return Kept(source, folder, Enumerate(folder, pattern, stop), notes);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot search {source}: {FileProblem.Reason(e)}.", e);
        }
    }

    private static TinyMoEException NotThere(string source) => new(FilePlace.NotUtf8(source) is { } escaped
        ? $"The name of {escaped} is not UTF-8: rename it."
        : $"There is no file or folder {source}: check the path, or use sdk-docs for the built-in text.");

    // The folders before the first wildcard are walked from, the rest is matched name by name.
    private static (string Folder, string[] Pattern) Split(string glob)
    {
        string[] names = Source.Names(glob);
        int fixedNames = Source.FixedNames(names);
        string folder = fixedNames == 0 ? "." : string.Join('/', names[..fixedNames]) is { Length: > 0 } path ? path : "/";
        return Directory.Exists(folder)
            ? (folder, names[fixedNames..])
            : throw (FilePlace.NotUtf8(folder) is null
                ? new TinyMoEException($"There is no folder {folder}, where {glob} begins: check the path.")
                : NotThere(folder));
    }

    private static IEnumerable<string> Enumerate(string folder, string[] pattern, CancellationToken stop)
    {
        EnumerationOptions options = new()
        {
            RecurseSubdirectories = true,
            MaxRecursionDepth = pattern.Contains("**") ? int.MaxValue : pattern.Length - 1,
            AttributesToSkip = FileAttributes.Hidden | FileAttributes.System,
            IgnoreInaccessible = false,
        };
        FileSystemEnumerable<string> files = new(folder, (ref entry) => entry.ToFullPath(), options)
        {
            ShouldIncludePredicate = (ref entry) =>
            {
                stop.ThrowIfCancellationRequested();
                return !entry.IsDirectory && Matches(Names(folder, entry.ToFullPath()), pattern);
            },
            ShouldRecursePredicate = (ref entry) => IsReadable(entry.ToFullPath())
                && (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
        return files.OrderBy(file => string.Join('/', Names(folder, file)), StringComparer.Ordinal);
    }

    /// <summary>The files found in a folder that are no run's; at least one.</summary>
    private static List<string> Kept(string source, string folder, IEnumerable<string> found, TextNotes notes)
    {
        Dictionary<string, bool> runs = [];
        List<string> kept = [];
        string? left = null;
        foreach (string file in found)
        {
            if (RunOf(file, folder, runs) is { } run)
                notes.Add(left = run, LeftOut);
            else if (IsReadable(file))
                kept.Add(file);
        }

        if (kept.Count > 0)
            return kept;
        string but = left is null ? "" : $" but those of {left}, and a run of tinymoe is no text";
        throw new TinyMoEException(Directory.Exists(source)
            ? RunFiles.IsRun(source) || RunFiles.IsCheckpoint(source)
                ? $"The folder {source} is a run of tinymoe, which is no text: name the text itself."
                : $"The folder {source} holds no files{but}."
            : $"No file matches {source}{but}: check the pattern (** matches any number of folders).");
    }

    // The run below the folder that the file is in; the file itself if it belongs to a run that is the folder; else null.
    private static string? RunOf(string file, string folder, Dictionary<string, bool> runs)
    {
        string[] names = Names(folder, file);
        string place = Path.GetFullPath(folder);
        if (RunFiles.Owns(place, names[0]))
            return Path.Combine(place, names[0]);
        foreach (string name in names[..^1])
        {
            place = Path.Combine(place, name);
            if (!runs.TryGetValue(place, out bool isRun))
                runs.Add(place, isRun = RunFiles.IsRun(place) || RunFiles.IsCheckpoint(place));
            if (isRun)
                return place;
        }

        return names[^1] == RunFiles.Lock ? file : null;
    }

    // Throws where a name is not UTF-8: nothing of that name can be opened.
    private static bool IsReadable(string path)
    {
        if (path.Contains('\uFFFD', StringComparison.Ordinal) && !Path.Exists(path) && FilePlace.NotUtf8(path) is { } escaped)
            throw new TinyMoEException($"The name of {escaped} is not UTF-8: rename it.");
        return true;
    }

    private static string[] Names(string folder, string file) => Path.GetRelativePath(folder, file).Split(Path.DirectorySeparatorChar);

    private static bool Matches(ReadOnlySpan<string> names, ReadOnlySpan<string> pattern)
    {
        if (pattern.IsEmpty || names.IsEmpty)
            return pattern.IsEmpty && names.IsEmpty;
        if (pattern is ["**"])
            return true;
        return pattern[0] == "**"
            ? Matches(names, pattern[1..]) || Matches(names[1..], pattern)
            : FileSystemName.MatchesSimpleExpression(pattern[0], names[0], ignoreCase: false) && Matches(names[1..], pattern[1..]);
    }
}
