using System.IO.Enumeration;
using TinyMoE.Configuration;
using TinyMoE.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Data;

/// <summary>
/// Finds and reads what <see cref="DataConfig.Sources"/> names, in the order given; within a source, files are in the ordinal order of
/// their paths.
/// <list type="bullet">
/// <item>a file;</item>
/// <item>a folder: every file below it;</item>
/// <item>a glob: <c>*</c> and <c>?</c> match inside one name, <c>**</c> any number of folders (<c>docs/**/*.md</c>), case counts;</item>
/// <item><see cref="DataConfig.SdkDocs"/>: <see cref="Data.SdkDocs"/>.</item>
/// </list>
/// Folders and globs leave out what is hidden, empty, or behind a link to a folder; nothing else is left out: a file that is not what the
/// tokenizer's <see cref="TextCleaning"/> wants is an error. A file that two sources name counts once. <see cref="Source"/> has how sources
/// are named, <see cref="RecordReader"/> how files are read with <see cref="LabelKind.Record"/>.
/// </summary>
internal static class TextSource
{
    private const int BlockSize = 1 << 18;

    /// <summary>Adds all of the text, cleaned and labelled; never nothing.</summary>
    public static void Read(IReadOnlyList<string> sources, LabelKind labels, TextCleaning cleaning, LabelledText text)
    {
        if (sources.Count == 0)
            throw new TinyMoEException("There is no text to read: name a file, a folder, a glob or sdk-docs with --data.");
        HashSet<string> seen = [];
        for (int i = 0; i < sources.Count; i++)
        {
            Source source = Source.Parse(sources[i]);
            if (source.GivenName is not null && labels != LabelKind.Source)
            {
                string kind = labels.ToString().ToLowerInvariant();
                throw new TinyMoEException($"{sources[i]} gives a source a name, and the labels are those of every {kind}: "
                    + $"name {source.Path} alone, or set data.labels=source.");
            }

            int? part = labels == LabelKind.Source ? i : null; // what the last share is held out of: a source, or all text of a label
            if (!source.IsSdkDocs)
                ReadFiles(source, labels, cleaning, part, text, seen);
            else if (seen.Add(source.Path))
                SdkDocs.Append(text, labels == LabelKind.Source ? source.GivenName : source.Name, part);
        }
    }

    /// <summary>The files that a source names, at least one.</summary>
    internal static string[] Files(string source)
    {
        if (File.Exists(source))
            return [source];
        try
        {
            string[] files = Directory.Exists(source) ? Enumerate(source, ["**"])
                : Source.IsPattern(source) ? Glob(source)
                : throw new TinyMoEException(
                    $"There is no file or folder {source}: check the path, or use sdk-docs for the built-in text.");
            return files.Length > 0 ? files : throw new TinyMoEException(Directory.Exists(source)
                ? $"The folder {source} holds no files."
                : $"No file matches {source}: check the pattern (** matches any number of folders).");
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot search {source}: {FileProblem.Reason(e)}.", e);
        }
    }

    /// <summary>Ends what was added from <paramref name="start"/> on with \n, unless it does already or nothing was added.</summary>
    internal static void EndLine(TextBuffer text, int start)
    {
        if (text.Length > start && text.Bytes[^1] != '\n')
            text.Append("\n"u8);
    }

    /// <summary>Throws a <see cref="TinyMoEException"/> unless there is room for so many bytes more, and a \n.</summary>
    internal static void RequireRoom(TextBuffer text, int more, string file)
    {
        if (text.Length >= Array.MaxLength - more)
            throw new TinyMoEException($"The text is longer than {Array.MaxLength} bytes at {file}: name fewer files.");
    }

    private static void ReadFiles(
        Source source, LabelKind labels, TextCleaning cleaning, int? part, LabelledText text, HashSet<string> seen)
    {
        int before = text.Text.Length;
        bool empty = true;
        foreach (string file in Files(source.Path))
        {
            bool repeated = !seen.Add(Path.GetFullPath(file));
            if (!repeated && labels == LabelKind.Record)
            {
                AppendRecords(text, file, cleaning);
            }
            else if (!repeated)
            {
                AppendFile(text.Text, file, cleaning);
                text.Label(text.Text.Length, labels == LabelKind.File ? Source.NameOfFile(file) : source.Name, part);
            }

            empty &= !repeated && text.Text.Length == before;
        }

        if (empty)
        {
            throw new TinyMoEException(File.Exists(source.Path)
                ? $"{source.Path} is empty: name a file with text."
                : $"All files of {source.Path} are empty: name files with text.");
        }
    }

    private static void AppendFile(TextBuffer text, string file, TextCleaning cleaning)
    {
        int start = text.Length;
        ReadFile(text, file);
        text.Truncate(start + cleaning.CleanFile(text.Bytes[start..], file));
        if (cleaning.EndsFiles)
            EndLine(text, start);
    }

    private static void AppendRecords(LabelledText text, string file, TextCleaning cleaning)
    {
        using TextBuffer lines = new();
        ReadFile(lines, file);
        RecordReader.Append(text, lines.Bytes, file, cleaning);
    }

    private static void ReadFile(TextBuffer text, string file)
    {
        try
        {
            using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            int read;
            do
            {
                RequireRoom(text, BlockSize, file);
                int end = text.Length;
                read = stream.Read(text.Extend(BlockSize));
                text.Truncate(end + read);
            }
            while (read > 0);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read {file}: {FileProblem.Reason(e)}.", e);
        }
    }

    // The folders before the first wildcard are walked from, the rest is matched name by name.
    private static string[] Glob(string source)
    {
        string[] names = Source.Names(source);
        int fixedNames = Source.FixedNames(names);
        string folder = fixedNames == 0 ? "." : string.Join('/', names[..fixedNames]) is { Length: > 0 } path ? path : "/";
        if (!Directory.Exists(folder))
            throw new TinyMoEException($"There is no folder {folder}, where {source} begins: check the path.");
        return Enumerate(folder, names[fixedNames..]);
    }

    private static string[] Enumerate(string folder, string[] pattern)
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
            ShouldIncludePredicate = (ref entry) => !entry.IsDirectory && Matches(Names(folder, entry.ToFullPath()), pattern),
            ShouldRecursePredicate = (ref entry) => (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
        return [.. files.OrderBy(file => string.Join('/', Names(folder, file)), StringComparer.Ordinal)];
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
