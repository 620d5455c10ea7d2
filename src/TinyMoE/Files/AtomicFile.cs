namespace TinyMoE.Files;

/// <summary>
/// Writes a file beside its place, flushes it to disk and renames it there: after a crash the old file or the new one is there, whole.
/// The file beside has a name of its own (<c>.NAME.0123456789abcdef.tmp</c>) that nothing can wait for, neither a link nor another writer.
/// </summary>
internal static class AtomicFile
{
    private const string Unfinished = ".tmp";

    /// <summary>
    /// Replaces <paramref name="path"/> by what <paramref name="write"/> puts into the stream. A refused write leaves the old file and
    /// throws a <see cref="StorageException"/>.
    /// </summary>
    public static void Write(string path, Action<Stream> write)
    {
        string full = Path.GetFullPath(path), folder = Path.GetDirectoryName(full)!;
        if (FilePlace.NotRegular(full) is { } kind) // to rename a file there would take the place of /dev/null itself
            throw new TinyMoEException($"Cannot write the file {path}: it is {kind}. Choose another place; what was there before is kept.");
        string temporary = Path.Combine(folder, $".{Path.GetFileName(full)}.{Guid.NewGuid():N}"[..^16] + Unfinished);
        try
        {
            Directory.CreateDirectory(folder);
            using (FileStream stream = new(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, full, overwrite: true);
            Disk.FlushFolder(folder);
        }
        catch (Exception e)
        {
            Disk.TryDelete(temporary);
            if (FileProblem.Is(e))
            {
                throw new StorageException(
                    $"Cannot write the file {path}: {FileProblem.Reason(e)}. Choose another place; what was there before is kept.", e);
            }

            throw;
        }
    }

    /// <summary>Replaces <paramref name="path"/> by <paramref name="text"/> in UTF-8 without a byte order mark.</summary>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));

    /// <summary>Removes what a crash left of writes of <paramref name="path"/>; only their one writer may call it.</summary>
    public static void RemoveUnfinished(string path)
    {
        string full = Path.GetFullPath(path), name = Path.GetFileName(full), folder = Path.GetDirectoryName(full)!;
        if (!Directory.Exists(folder))
            return;
        foreach (string file in Directory.EnumerateFiles(folder, $".{name}.*{Unfinished}"))
        {
            ReadOnlySpan<char> middle = Path.GetFileName(file).AsSpan(name.Length + 2)[..^Unfinished.Length];
            if (middle.Length == 16 && !middle.ContainsAnyExcept(Checksums.Hexadecimal))
                Disk.TryDelete(file);
        }
    }
}
