using System.Runtime.InteropServices;
using System.Text;
using TinyMoE.Memory;

namespace TinyMoE.Data;

/// <summary>
/// Bytes of text that grow at their end. Their memory is native: when the text has become ids it goes back to the system, where a collector
/// would keep the pages.
/// </summary>
internal sealed unsafe class TextBuffer : IDisposable
{
    private byte* start;
    private nuint capacity;

    /// <summary>Number of bytes.</summary>
    public int Length { get; private set; }

    /// <summary>The bytes, until more are added.</summary>
    public Span<byte> Bytes => new(start, Length);

    /// <summary>The bytes from <paramref name="from"/> to before <paramref name="to"/>, until more are added.</summary>
    public View<byte> View(int from, int to) => new View<byte>((nint)start, Length).Slice(from, to - from);

    /// <summary>Makes room for <paramref name="count"/> more bytes and gives it; what it holds is undefined.</summary>
    public Span<byte> Extend(int count)
    {
        int length = checked(Length + count);
        if ((nuint)length > capacity)
        {
            capacity = Math.Max((nuint)length, 2 * capacity);
            start = (byte*)NativeMemory.Realloc(start, capacity);
        }

        Length = length;
        return Bytes[^count..];
    }

    /// <summary>Keeps the first <paramref name="length"/> bytes.</summary>
    public void Truncate(int length) => Length = Math.Min(Length, length);

    /// <summary>Adds bytes behind what is there.</summary>
    public void Append(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Extend(bytes.Length));

    /// <summary>Adds characters in an encoding.</summary>
    public void Append(ReadOnlySpan<char> text, Encoding encoding) => encoding.GetBytes(text, Extend(encoding.GetByteCount(text)));

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        NativeMemory.Free(start);
        start = null;
        (capacity, Length) = (0, 0);
    }
}
