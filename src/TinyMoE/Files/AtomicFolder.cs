namespace TinyMoE.Files;

/// <summary>
/// Replaces a folder as a whole. It is filled beside its place, flushed to disk, and swapped in by two renames:
/// <code>
///   1  fill     name.new      a crash here: name is the old state, name.new is rubbish
///   2  rename   name -> name.old
///                             a crash here: name.new is complete, Recover puts it in place
///   3  rename   name.new -> name
///   4  delete   name.old      a crash here: name is the new state, name.old is rubbish
/// </code>
/// Rubbish is removed by the next <see cref="Replace"/>, never by a reader: a reader may run beside the program that is filling name.new.
/// </summary>
internal static class AtomicFolder
{
    private const string Filling = ".new";
    private const string Leaving = ".old";
    private const int WriterPatienceMilliseconds = 300;

    /// <summary>
    /// Replaces folder <paramref name="path"/> by what <paramref name="fill"/> writes into the empty folder that it is given.
    /// When anything fails the old folder stays as it was; what the file system refuses becomes a <see cref="TinyMoEException"/>.
    /// </summary>
    public static void Replace(string path, Action<string> fill)
    {
        string place = Place(path), filling = place + Filling, leaving = place + Leaving;
        try
        {
            Recover(path);
            Delete(filling);
            Delete(leaving);

            Directory.CreateDirectory(filling);
            fill(filling);
            Disk.FlushTree(filling);

            if (Directory.Exists(place))
                Directory.Move(place, leaving);
            Directory.Move(filling, place);
            Disk.FlushFolder(Path.GetDirectoryName(place)!);
        }
        catch (Exception e)
        {
            Undo(place, filling, leaving);
            if (FileProblem.Is(e))
            {
                throw new TinyMoEException(
                    $"Cannot write the folder {path}: {FileProblem.Reason(e)}. Choose another place; what was there before is kept.", e);
            }

            throw;
        }

        TryDelete(leaving); // the new folder is in place: rubbish that cannot be removed is no failure
    }

    /// <summary>
    /// Finishes a swap that a crash interrupted; call it before reading. Afterwards <paramref name="path"/> is a whole folder, or does
    /// not exist if none was ever finished.
    /// </summary>
    public static void Recover(string path)
    {
        string place = Place(path), filling = place + Filling, leaving = place + Leaving;
        if (Directory.Exists(place) || !Directory.Exists(leaving))
            return;

        Thread.Sleep(WriterPatienceMilliseconds); // a living writer is between its renames for microseconds
        if (Directory.Exists(place))
            return;
        try
        {
            // The old folder only leaves when the new one is complete and on disk.
            Directory.Move(Directory.Exists(filling) ? filling : leaving, place);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            if (!Directory.Exists(place))
            {
                throw new TinyMoEException(
                    $"Cannot finish the interrupted write of {path}: {FileProblem.Reason(e)}. "
                    + $"Rename {path}{Filling} to {path} by hand.", e);
            }
        }
    }

    private static string Place(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));

    private static void Undo(string place, string filling, string leaving)
    {
        if (!Directory.Exists(place) && Directory.Exists(leaving))
        {
            try
            {
                Directory.Move(leaving, place);
            }
            catch (Exception e) when (FileProblem.Is(e))
            {
                return; // both states stay on disk and Recover finishes the swap
            }
        }

        TryDelete(filling);
    }

    private static void Delete(string folder)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }

    private static void TryDelete(string folder)
    {
        try
        {
            Delete(folder);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            // The next Replace tries again, and says so if it cannot.
        }
    }
}
