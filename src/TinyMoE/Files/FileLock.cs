using System.Globalization;
using System.Text;

namespace TinyMoE.Files;

/// <summary>
/// A lock that one process at a time can hold: a file that is locked by the system, which frees it when the holder dies, and that says who
/// holds it. Given back it is gone.
/// </summary>
internal sealed class FileLock : IDisposable
{
    private const int Attempts = 20;
    private const int LockedUnix = 11, LockedMac = 35;            // EAGAIN
    private const int LockedWindows = unchecked((int)0x80070020); // ERROR_SHARING_VIOLATION
    private const string Begin = "process ";                      // what the file begins with

    private readonly string path;
    private readonly FileStream file;
    private readonly string? createdFolder;

    private FileLock(string path, FileStream file, string? createdFolder) =>
        (this.path, this.file, this.createdFolder) = (path, file, createdFolder);

    /// <summary>Takes the lock, in a folder that is made if there is none.</summary>
    /// <param name="path">The file.</param>
    /// <param name="what">What it locks, for the message.</param>
    /// <exception cref="TinyMoEException">
    /// Somebody else holds it, and the message says who; or what has the name of the file is no lock.
    /// </exception>
    public static FileLock Take(string path, string what)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string? created = FirstMissing(folder);
        try
        {
            Directory.CreateDirectory(folder);
            string holder = Holder();
            for (int attempt = 0; attempt < Attempts; attempt++)
            {
                RequireNothingElse(path, what);
                if (TryOpen(path) is not { } file)
                    throw new TinyMoEException($"{what} is in use by {HolderOf(path)}; wait for its end, or choose another folder.");
                RequireLock(file, what);
                file.SetLength(0);
                file.Write(Encoding.UTF8.GetBytes(holder));
                file.Flush();
                if (Disk.TryReadLocked(path) == holder) // else its last holder has just removed the file that was opened
                    return new FileLock(path, file, created);
                file.Dispose();
            }

            throw new TinyMoEException($"{what} changes hands too quickly to be locked; try again.");
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new StorageException($"Cannot write {path}: {FileProblem.Reason(e)}. Choose another folder.", e);
        }
    }

    /// <summary>Gives the lock back; a folder that was made for it and holds nothing goes too.</summary>
    public void Dispose()
    {
        if (file.SafeFileHandle.IsClosed)
            return;
        Disk.TryDelete(path);
        file.Dispose();
        for (string? folder = Path.GetDirectoryName(Path.GetFullPath(path)); createdFolder is not null && folder is not null;)
        {
            try
            {
                Directory.Delete(folder); // refused unless it is empty
            }
            catch (Exception e) when (FileProblem.Is(e))
            {
                return;
            }

            folder = folder == createdFolder ? null : Path.GetDirectoryName(folder);
        }
    }

    /// <summary>Makes sure that nobody has put a link there, which could lead anywhere, or a pipe, which would be waited for.</summary>
    private static void RequireNothingElse(string path, string what)
    {
        if (new FileInfo(path).LinkTarget is not null || FilePlace.NotRegular(path) is not null)
            throw Foreign(path, what);
    }

    /// <summary>Makes sure that an open file is a lock, perhaps one that was left empty; else it is closed.</summary>
    private static void RequireLock(FileStream file, string what)
    {
        Span<byte> start = stackalloc byte[Begin.Length];
        int read = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (Begin.StartsWith(Encoding.Latin1.GetString(start[..read]), StringComparison.Ordinal))
            return;
        file.Dispose();
        throw Foreign(file.Name, what);
    }

    private static TinyMoEException Foreign(string path, string what) =>
        new($"{what} holds {Path.GetFileName(path)}, which no run has written; choose a new folder or an empty one.");

    /// <summary>Opens the file and locks it; null where somebody else has locked it.</summary>
    private static FileStream? TryOpen(string path)
    {
        FileMode mode = File.Exists(path) ? FileMode.Open : FileMode.CreateNew;
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                FileShare share = OperatingSystem.IsWindows() ? FileShare.Read | FileShare.Delete : FileShare.None;
                return new FileStream(path, mode, FileAccess.ReadWrite, share, bufferSize: 0);
            }
            catch (FileNotFoundException) when (attempt < Attempts)
            {
                mode = FileMode.CreateNew;
            }
            catch (IOException e) when (e.HResult is LockedUnix or LockedMac or LockedWindows)
            {
                return null;
            }
            catch (IOException) when (mode == FileMode.CreateNew && File.Exists(path) && attempt < Attempts)
            {
                mode = FileMode.Open;
            }
        }
    }

    private static string Holder() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Begin}{Environment.ProcessId} on {Environment.MachineName} since {DateTime.UtcNow:yyyy-MM-dd HH:mm:ss} UTC\n")
        + $"{Guid.NewGuid():N}\n";

    private static string HolderOf(string path)
    {
        string first = (Disk.TryReadLocked(path) ?? "").Split('\n')[0];
        return first.Length > 0 ? Excerpt.Of(first, most: 200) : "another process";
    }

    /// <summary>The outermost folder of a path that does not exist yet; null where all do.</summary>
    private static string? FirstMissing(string folder)
    {
        string? missing = null;
        for (string? parent = folder; parent is not null && !Directory.Exists(parent); parent = Path.GetDirectoryName(parent))
            missing = parent;
        return missing;
    }
}
