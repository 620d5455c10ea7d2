using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace TinyMoE.Files;

/// <summary>Makes sure that what was written survives a power failure: file contents, and on Unix the folders that name them.</summary>
internal static partial class Disk
{
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
        int descriptor = Open(path, flags: 0); // O_RDONLY
        if (descriptor < 0)
            return; // a folder that may be written but not read; the rename itself has worked
        _ = Fsync(descriptor); // some file systems refuse it for folders, and then order their journal themselves
        _ = Close(descriptor);
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

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
