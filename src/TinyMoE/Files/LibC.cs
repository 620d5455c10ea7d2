using System.Runtime.InteropServices;

namespace TinyMoE.Files;

/// <summary>The few calls of the system's C library that .NET has no name for.</summary>
internal static unsafe partial class LibC
{
    private const int CurrentFolder = -100; // AT_FDCWD
    private const int SizeOfStatx = 256, ModeInStatx = 28;
    private const int NameInDirent = 19;    // where addresses have 64 bits

    /// <summary>The path without links, . and ..; null where it cannot be told.</summary>
    public static string? RealPath(string path)
    {
        nint real = RealPath(path, room: 0);
        string? result = Marshal.PtrToStringUTF8(real);
        Free(real);
        return result;
    }

    /// <summary>The type and the permissions of a file, links followed, as stat(2) has them; null where they cannot be told.</summary>
    public static int? Mode(string path)
    {
        if (!OperatingSystem.IsLinux())
            return null; // elsewhere the structure is laid out in another way
        try
        {
            byte* status = stackalloc byte[SizeOfStatx];
            return StatX(CurrentFolder, path, flags: 0, mask: 1, status) == 0 ? *(ushort*)(status + ModeInStatx) : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null; // a C library from before 2018
        }
    }

    /// <summary>The names in a folder as bytes; none where they cannot be told.</summary>
    public static List<byte[]> Names(string folder)
    {
        List<byte[]> names = [];
        if (!OperatingSystem.IsLinux() || !Environment.Is64BitProcess)
            return names;
        nint open = OpenDir(folder);
        if (open == 0)
            return names;
        for (nint entry = ReadDir(open); entry != 0; entry = ReadDir(open))
            names.Add(MemoryMarshal.CreateReadOnlySpanFromNullTerminated((byte*)entry + NameInDirent).ToArray());
        _ = CloseDir(open);
        return names;
    }

    /// <summary>Opens a file; a negative descriptor where that is refused.</summary>
    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags);

    /// <summary>Reads from a descriptor; how many bytes there were, negative where that is refused.</summary>
    [LibraryImport("libc", EntryPoint = "read")]
    public static partial nint Read(int descriptor, byte[] bytes, nint count);

    /// <summary>Flushes what a descriptor stands for; not 0 where that is refused.</summary>
    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Fsync(int descriptor);

    /// <summary>Closes a descriptor.</summary>
    [LibraryImport("libc", EntryPoint = "close")]
    public static partial int Close(int descriptor);

    /// <summary>Gives a file a second name; not 0 where that is refused.</summary>
    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Link(string file, string second);

    [LibraryImport("libc", EntryPoint = "realpath", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint RealPath(string path, nint room);

    [LibraryImport("libc", EntryPoint = "free")]
    private static partial void Free(nint memory);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int folder, string path, int flags, uint mask, byte* status);

    [LibraryImport("libc", EntryPoint = "opendir", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenDir(string path);

    [LibraryImport("libc", EntryPoint = "readdir")]
    private static partial nint ReadDir(nint open);

    [LibraryImport("libc", EntryPoint = "closedir")]
    private static partial int CloseDir(nint open);
}
