using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace TinyMoE.Files;

/// <summary>
/// The bytes of a whole file at addresses of memory, to be read only; the system brings them in as they are read, and takes them back
/// when it needs the room.
/// </summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile mapping;
    private readonly MemoryMappedViewAccessor view;

    /// <summary>Maps an open file that is not empty.</summary>
    public MappedFile(SafeFileHandle file)
    {
        mapping = MemoryMappedFile.CreateFromFile(
            file, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        view = mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        Start = (nint)start + (nint)view.PointerOffset;
    }

    /// <summary>The address of the first byte.</summary>
    public nint Start { get; }

    /// <summary>Ends the mapping; its addresses must not be read again.</summary>
    public void Dispose()
    {
        view.SafeMemoryMappedViewHandle.ReleasePointer();
        view.Dispose();
        mapping.Dispose();
    }
}
