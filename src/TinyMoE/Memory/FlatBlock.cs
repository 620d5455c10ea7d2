namespace TinyMoE.Memory;

/// <summary>
/// One run of elements in device memory that may be longer than a <see cref="View{T}"/> can say: a model's weights, their gradients or
/// their moments. The empty block means "none". Kernels see views into it; a pass over all of it goes by <see cref="FlatBlock.Chunks"/>.
/// </summary>
/// <typeparam name="T">The element: <see cref="float"/> or, for bfloat16, <see cref="ushort"/>.</typeparam>
public readonly struct FlatBlock<T>
    where T : unmanaged
{
    private readonly DeviceBuffer? buffer;

    internal FlatBlock(DeviceBuffer buffer, long length) => (this.buffer, Length) = (buffer, length);

    /// <summary>Number of elements.</summary>
    public long Length { get; }

    /// <summary>True for the empty block.</summary>
    public bool IsNone => buffer is null;

    /// <summary>The whole block as one view.</summary>
    /// <exception cref="OverflowException">It is longer than a view can be.</exception>
    public View<T> All => buffer?.As<T>(checked((int)Length)) ?? default;

    /// <summary>
    /// The <paramref name="length"/> elements from <paramref name="start"/> on; out of range throws, and of the empty block it is the
    /// empty view.
    /// </summary>
    public View<T> Slice(long start, int length)
    {
        if (buffer is null)
            return default;
        if (start < 0 || length < 0 || length > Length - start)
            throw new ArgumentOutOfRangeException(nameof(start), $"Slice {start}..{start + length} of a block of {Length} elements.");
        return buffer.As<T>(start, length);
    }
}

/// <summary>Passes over long blocks, chunk by chunk.</summary>
internal static class FlatBlock
{
    /// <summary>Most elements of a chunk: kernels count elements in 32 bits, and round them up to whole pieces.</summary>
    public const int LargestChunk = 1 << 30;

    /// <summary>
    /// The elements from <paramref name="start"/> to before <paramref name="end"/> in runs of at most <paramref name="largest"/>.
    /// </summary>
    public static IEnumerable<(long Start, int Length)> Chunks(long start, long end, int largest = LargestChunk)
    {
        for (; start < end; start += largest)
            yield return (start, (int)Math.Min(largest, end - start));
    }
}
