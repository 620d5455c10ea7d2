namespace TinyMoE.Files;

/// <summary>
/// Writes a file beside its place, flushes it to disk and renames it there: after a crash the old file or the new one is there, whole.
/// </summary>
internal static class AtomicFile
{
    private const string Unfinished = ".tmp";

    /// <summary>
    /// Replaces <paramref name="path"/> by what <paramref name="write"/> puts into the stream. A refused write leaves the old file and
    /// throws a <see cref="TinyMoEException"/>.
    /// </summary>
    public static void Write(string path, Action<Stream> write)
    {
        string full = Path.GetFullPath(path), temporary = full + Unfinished, folder = Path.GetDirectoryName(full)!;
        try
        {
            Directory.CreateDirectory(folder);
            using (FileStream stream = new(temporary, FileMode.Create, FileAccess.Write))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, full, overwrite: true);
            Disk.FlushFolder(folder);
        }
        catch (Exception e)
        {
            Remove(temporary);
            if (FileProblem.Is(e))
            {
                throw new TinyMoEException(
                    $"Cannot write the file {path}: {FileProblem.Reason(e)}. Choose another place; what was there before is kept.", e);
            }

            throw;
        }
    }

    /// <summary>Replaces <paramref name="path"/> by <paramref name="text"/> in UTF-8 without a byte order mark.</summary>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));

    private static void Remove(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            // The first problem is the one to report; the next write replaces the file.
        }
    }
}
