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
/// Folders and globs leave out what is hidden, empty, behind a link to a folder, or a run of TinyMoE (<see cref="FileSearch"/>); nothing
/// else is left out: a file that is not what the tokenizer's <see cref="TextCleaning"/> wants is an error. A file that is reached twice
/// counts once, links or not. <see cref="Source"/> has how sources are named, <see cref="RecordReader"/> how files are read with
/// <see cref="LabelKind.Record"/>.
/// </summary>
internal static class TextSource
{
    private const int BlockSize = 1 << 18;

    /// <summary>Adds all of the text, cleaned and labelled; never nothing.</summary>
    public static void Read(
        IReadOnlyList<string> sources, LabelKind labels, TextCleaning cleaning, LabelledText text, CancellationToken stop = default)
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
            {
                ReadFiles(source, labels, cleaning, part, text, seen, stop);
            }
            else if (seen.Add(source.Path))
            {
                text.BeginFile(source.Path);
                SdkDocs.Append(text, labels == LabelKind.Source ? source.GivenName : source.Name, part, stop);
            }
        }
    }

    /// <summary>
    /// Gives the cleaned text of one file after the other, the built-in one whole, to <paramref name="take"/>; each is gone when the next
    /// one comes. No line end is added where a file has none at its end. Never nothing at all.
    /// </summary>
    public static void ReadEach(
        IReadOnlyList<string> sources, TextCleaning cleaning, TextNotes notes, Action<TextBuffer> take, CancellationToken stop = default)
    {
        if (sources.Count == 0)
            throw new TinyMoEException("There is no text to read: name a file, a folder, a glob or sdk-docs with --data.");
        HashSet<string> seen = [];
        foreach (Source source in sources.Select(Source.Parse))
        {
            bool empty = true;
            foreach (string file in source.IsSdkDocs ? [source.Path] : FileSearch.Files(source.Path, notes, stop))
            {
                if (!seen.Add(source.IsSdkDocs ? file : FilePlace.Real(file)))
                {
                    empty = false;
                    continue;
                }

                using LabelledText text = new(notes);
                if (source.IsSdkDocs)
                    SdkDocs.Append(text, source.Name, part: 0, stop);
                else
                    AppendFile(text, file, cleaning, endsLines: false, stop);
                empty &= text.Text.Length == 0;
                take(text.Text);
            }

            if (empty)
                throw Empty(source);
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
        Source source, LabelKind labels, TextCleaning cleaning, int? part, LabelledText text, HashSet<string> seen, CancellationToken stop)
    {
        int before = text.Text.Length;
        bool empty = true;
        foreach (string file in FileSearch.Files(source.Path, text.Notes, stop))
        {
            bool repeated = !seen.Add(FilePlace.Real(file));
            if (!repeated && labels == LabelKind.Record)
            {
                AppendRecords(text, file, cleaning, stop);
            }
            else if (!repeated)
            {
                AppendFile(text, file, cleaning, cleaning.EndsFiles, stop);
                text.Label(text.Text.Length, labels == LabelKind.File ? Source.NameOfFile(file) : source.Name, part);
            }

            empty &= !repeated && text.Text.Length == before;
        }

        if (empty)
            throw Empty(source);
    }

    private static TinyMoEException Empty(Source source) => new(File.Exists(source.Path)
        ? $"{source.Path} is empty: name a file with text."
        : $"All files of {source.Path} are empty: name files with text.");

    private static void AppendFile(LabelledText labelled, string file, TextCleaning cleaning, bool endsLines, CancellationToken stop)
    {
        TextBuffer text = labelled.Text;
        int start = text.Length;
        labelled.BeginFile(file);
        ReadFile(text, file, stop);
        text.Truncate(start + cleaning.CleanFile(text.Bytes[start..], file, flaw => labelled.Notes.Add(file, Name(flaw))));
        if (endsLines)
            EndLine(text, start);
    }

    private static void AppendRecords(LabelledText text, string file, TextCleaning cleaning, CancellationToken stop)
    {
        using TextBuffer lines = new();
        ReadFile(lines, file, stop);
        if (WideText.EncodingOf(lines.Bytes) is { } encoding)
            throw new TinyMoEException($"{file} looks like {encoding}, and JSON Lines are UTF-8: {WideText.Remedy(encoding)}.");
        if (TextCleaning.EndLinesByLineFeed(lines.Bytes))
            text.Notes.Add(file, Name(TextFlaw.OldLineEnds));
        text.BeginFile(file, length => FindRecord(file, cleaning, length));
        RecordReader.Append(text, lines.Bytes, file, cleaning, stop: stop);
    }

    /// <summary>The line of the record that has the byte at a place of a file's text; the file is read again.</summary>
    private static int FindRecord(string file, TextCleaning cleaning, int place)
    {
        using TextBuffer lines = new();
        using LabelledText text = new();
        ReadFile(lines, file, CancellationToken.None);
        _ = TextCleaning.EndLinesByLineFeed(lines.Bytes);
        return RecordReader.Append(text, lines.Bytes, file, cleaning, until: place);
    }

    private static string Name(TextFlaw flaw) => flaw switch
    {
        TextFlaw.OldLineEnds => "lines end in CR (\\r) alone, and are read as lines",
        TextFlaw.StrayReturns => "CR (\\r) inside of lines is a character to learn like others",
        TextFlaw.CutCharacter => "ends inside a character, whose bytes are left out; perhaps the file was cut off",
        _ => throw new ArgumentOutOfRangeException(nameof(flaw), flaw, "Nobody said what it is."),
    };

    // What is added to a file while it is read comes too late.
    private static void ReadFile(TextBuffer text, string file, CancellationToken stop)
    {
        if (FilePlace.NotRegular(file) is { } what)
        {
            throw new TinyMoEException($"{file} is not a regular file but {what}: write its text into a file, or leave it out with a glob "
                + "such as folder/**/*.txt.");
        }

        try
        {
            using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            long left = stream.Length > 0 ? stream.Length : long.MaxValue; // the system's own files tell no length
            int read;
            do
            {
                stop.ThrowIfCancellationRequested();
                int block = (int)Math.Min(BlockSize, left), end = text.Length;
                RequireRoom(text, block, file);
                read = stream.Read(text.Extend(block));
                text.Truncate(end + read);
                left -= read;
            }
            while (read > 0);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read {file}: {FileProblem.Reason(e)}.", e);
        }
    }
}
