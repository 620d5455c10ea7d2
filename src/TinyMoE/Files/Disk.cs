using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace TinyMoE.Files;

/// <summary>Makes sure that what was written survives a power failure: file contents, and on Unix the folders that name them.</summary>
internal static class Disk
{
    private const int InputOutputError = 5, DiskFull = 28; // EIO, ENOSPC

    /// <summary>Flushes a file's contents.</summary>
    public static void FlushFile(string path)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        RandomAccess.FlushToDisk(file);
    }

    /// <summary>Flushes a folder's entries, so that names and renames are durable. Windows has no such call and needs none.</summary>
    public static void FlushFolder(string path)
    {
        if (OperatingSystem.IsWindows())
            return;
        int descriptor = LibC.Open(path, flags: 0); // O_RDONLY
        if (descriptor < 0)
            return; // a folder that may be written but not read; the rename itself has worked
        int error = LibC.Fsync(descriptor) == 0 ? 0 : Marshal.GetLastPInvokeError();
        _ = LibC.Close(descriptor);
        if (error is InputOutputError or DiskFull) // others: a file system that cannot do it for folders, and orders its journal itself
            throw new IOException(Marshal.GetPInvokeErrorMessage(error), error);
    }

    /// <summary>Flushes every file and folder below <paramref name="path"/>, and the folder itself.</summary>
    public static void FlushTree(string path)
    {
        foreach (string file in Directory.EnumerateFiles(path))
            FlushFile(file);
        foreach (string folder in Directory.EnumerateDirectories(path))
            FlushTree(folder);
        FlushFolder(path);
    }

    /// <summary>Gives a file a second name in another folder without a copy; false where the file system has no such thing.</summary>
    public static bool TryLink(string file, string second) => !OperatingSystem.IsWindows() && LibC.Link(file, second) == 0;

    /// <summary>Deletes a file, or leaves it where that is refused.</summary>
    public static void TryDelete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            // The caller has a problem to report already, or the next write replaces the file.
        }
    }

    /// <summary>The text of a small file, even if somebody holds it locked; null where it cannot be read.</summary>
    public static string? TryReadLocked(string path)
    {
        if (OperatingSystem.IsWindows())
            return TryReadShared(path);
        int descriptor = LibC.Open(path, flags: 0);
        if (descriptor < 0)
            return null;
        byte[] bytes = new byte[4096];
        nint read = LibC.Read(descriptor, bytes, bytes.Length);
        _ = LibC.Close(descriptor);
        return read < 0 ? null : Encoding.UTF8.GetString(bytes, 0, (int)read);
    }

    private static string? TryReadShared(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using StreamReader reader = new(file);
            return reader.ReadToEnd();
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            return null;
        }
    }
}
