namespace TinyMoE.Files;

/// <summary>
/// Replaces a folder as a whole. It is filled beside its place, flushed to disk, and swapped in by two renames:
/// <code>
///   1  fill     .name.new     a crash here: name is the old state, .name.new is rubbish
///   2  rename   name -> .name.old
///                             a crash here: .name.new is complete, Recover puts it in place
///   3  rename   .name.new -> name
///   4  delete   .name.old     a crash here: name is the new state, .name.old is rubbish
/// </code>
/// One writer at a time may call <see cref="Replace"/> and <see cref="Recover"/>; readers only look (<see cref="Find"/>). Of the old folder
/// only what belongs to the program is deleted: files that somebody else put there move into the new one.
/// </summary>
internal static class AtomicFolder
{
    private const string Second = ".old"; // ends the name of a file that is kept where its name is taken

    /// <summary>
    /// Replaces folder <paramref name="path"/> by what <paramref name="fill"/> writes into the empty folder that it is given. When anything
    /// fails the old folder stays as it was; what the file system refuses becomes a <see cref="StorageException"/>.
    /// </summary>
    /// <param name="path">The folder.</param>
    /// <param name="fill">Writes the new files into the empty folder that it is given.</param>
    /// <param name="isOurs">Whether an entry of the old folder, by its path, may be deleted; null: all may.</param>
    public static void Replace(string path, Action<string> fill, Predicate<string>? isOurs = null)
    {
        string place = Place(path), filling = Filling(place), leaving = Leaving(place);
        try
        {
            Recover(path);
            Delete(filling);
            CleanUp(leaving, place, isOurs);

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
                throw new StorageException(
                    $"Cannot write the folder {path}: {FileProblem.Reason(e)}. Choose another place; what was there before is kept.", e);
            }

            throw;
        }

        Try(() => CleanUp(leaving, place, isOurs)); // the new folder is in place: rubbish that cannot be removed is no failure
    }

    /// <summary>
    /// Finishes a swap that a crash interrupted. Afterwards <paramref name="path"/> is a whole folder, or does not exist if none was ever
    /// finished.
    /// </summary>
    public static void Recover(string path)
    {
        string place = Place(path), whole = Find(path);
        if (whole == place)
            return;
        try
        {
            Directory.Move(whole, place);
            Disk.FlushFolder(Path.GetDirectoryName(place)!);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new StorageException(
                $"Cannot finish the interrupted write of {path}: {FileProblem.Reason(e)}. Rename {whole} to {path} by hand.", e);
        }
    }

    /// <summary>
    /// Where the whole folder is at the moment: its own place, or, in the middle of a swap, a place beside. Nothing is changed, and a
    /// writer may move it at any time.
    /// </summary>
    public static string Find(string path)
    {
        string place = Place(path), filling = Filling(place), leaving = Leaving(place);
        if (Directory.Exists(place) || !Directory.Exists(leaving))
            return place;
        return Directory.Exists(filling) ? filling : leaving; // the old one only leaves when the new one is complete and on disk
    }

    /// <summary>Removes what <see cref="Replace"/> wrote: the folder, unless it holds files of somebody else, which stay.</summary>
    public static void Remove(string path, Predicate<string> isOurs)
    {
        string place = Place(path);
        try
        {
            Recover(path);
            Delete(Filling(place));
            CleanUp(Leaving(place), place, isOurs);
            if (!Directory.Exists(place))
                return;
            string[] ours = [.. Directory.GetFileSystemEntries(place).Where(entry => isOurs(entry))]; // a file may say so of others
            Array.ForEach(ours, File.Delete);
            if (!Directory.EnumerateFileSystemEntries(place).Any())
                Directory.Delete(place);
            Disk.FlushFolder(Path.GetDirectoryName(place)!);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new StorageException($"Cannot remove {path}: {FileProblem.Reason(e)}. Choose another place.", e);
        }
    }

    private static string Place(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));

    private static string Filling(string place) => Beside(place, ".new");

    private static string Leaving(string place) => Beside(place, ".old");

    private static string Beside(string place, string ending) =>
        Path.Combine(Path.GetDirectoryName(place) ?? place, $".{Path.GetFileName(place)}{ending}");

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

        Try(() => Delete(filling));
    }

    /// <summary>Deletes what an earlier swap left, and moves what is not ours of it into the folder in place.</summary>
    private static void CleanUp(string leaving, string place, Predicate<string>? isOurs)
    {
        if (!Directory.Exists(leaving))
            return;
        foreach (string entry in Directory.GetFileSystemEntries(leaving).Where(entry => isOurs is not null && !isOurs(entry)))
        {
            string kept = Path.Combine(place, Path.GetFileName(entry));
            while (Path.Exists(kept))
                kept += Second;
            if (Directory.Exists(entry))
                Directory.Move(entry, kept);
            else
                File.Move(entry, kept, overwrite: false);
        }

        Delete(leaving);
    }

    private static void Delete(string folder)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true); // of a link the link alone
    }

    private static void Try(Action delete)
    {
        try
        {
            delete();
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            // The next Replace tries again, and says so if it cannot.
        }
    }
}
