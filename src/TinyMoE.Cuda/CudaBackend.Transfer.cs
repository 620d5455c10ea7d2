using System.Runtime.InteropServices;
using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Copies and fills. Writes are queued behind what was launched before; reads wait.
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    public override bool ReadsHostMemory => false;

    /// <inheritdoc/>
    public override void Write<T>(ReadOnlySpan<T> source, View<T> destination)
    {
        if (source.Length != destination.Length)
            throw new ArgumentException($"{source.Length} host elements do not match a view of {destination.Length}.");
        if (source.Length == 0)
            return;
        device.MakeCurrent();
        staging.Upload(MemoryMarshal.AsBytes(source), destination.Address);
        publishedOffsets.Forget(destination.Address, (long)source.Length * sizeof(T));
    }

    /// <inheritdoc/>
    public override void Read<T>(View<T> source, Span<T> destination)
    {
        if (source.Length != destination.Length)
            throw new ArgumentException($"A view of {source.Length} elements does not match {destination.Length} host elements.");
        if (source.Length == 0)
            return;
        device.MakeCurrent();
        Span<byte> bytes = MemoryMarshal.AsBytes(destination);
        if (bytes.Length <= Staging.LandingSize)
            staging.Download(source.Address, bytes);
        else
            DownloadUnpinned(source.Address, bytes);
    }

    /// <inheritdoc/>
    public override void ReadCounts(Ints offsets, Span<int> destination)
    {
        if (offsets.Length != destination.Length)
            throw new ArgumentException($"{offsets.Length} offsets do not match {destination.Length} host elements.");
        device.RequireNotRecording("the host reads how many rows each expert has");
        HostOffsets(offsets).CopyTo(destination);
    }

    /// <inheritdoc/>
    public override IDeviceClock? Clock => clock;

    /// <inheritdoc/>
    public override void Synchronize()
    {
        device.MakeCurrent();
        device.Synchronize();
    }

    /// <inheritdoc/>
    protected override void Fill(Floats y, float value) => Fill(y.Address, y.Length, value);

    /// <inheritdoc/>
    protected override void CopyColumns(Floats x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y)
    {
        if (y.IsNone)
            return;
        int quads = Ceiling.Divide(C, 4); // of a row
        Launch("copy_columns", Grid.Elements((long)N * quads, each: 1), x, xWidth, xStart, N, C, yWidth, yStart, y);
    }

    /// <inheritdoc/>
    protected override void RepeatRows(Floats x, int N, int C, int times, int yWidth, int yStart, Target y)
    {
        if (!y.IsNone)
            Launch("repeat_rows", Grid.Elements((long)N * Ceiling.Divide(C, 4), each: 1), x, N, C, times, yWidth, yStart, y);
    }

    /// <inheritdoc/>
    protected override void SumRepeatedRows(Floats x, int xWidth, int xStart, int N, int C, int times, Target y)
    {
        if (!y.IsNone)
            Launch("sum_repeated_rows", Grid.Elements((long)N * Ceiling.Divide(C, 4), each: 1), x, xWidth, xStart, N, C, times, y);
    }

    /// <inheritdoc/>
    public override void Fill(Values y, float value)
    {
        if (AreNarrow(y))
            Launch("fill_bfloat16", Grid.Elements(y.Length), Narrow(y), y.Length, value);
        else
            base.Fill(y, value);
    }

    /// <inheritdoc/>
    public override void CopyColumns(Values x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y)
    {
        if (!AreNarrow(x, y.Values))
            base.CopyColumns(x, xWidth, xStart, N, C, yWidth, yStart, y);
        else if (!y.IsNone)
            Launch("copy_columns_bfloat16", QuadsOfRows(N, C), Narrow(x), xWidth, xStart, N, C, yWidth, yStart, Narrow(y));
    }

    /// <inheritdoc/>
    public override void RepeatRows(Values x, int N, int C, int times, int yWidth, int yStart, Target y)
    {
        if (!AreNarrow(x, y.Values))
            base.RepeatRows(x, N, C, times, yWidth, yStart, y);
        else if (!y.IsNone)
            Launch("repeat_rows_bfloat16", QuadsOfRows(N, C), Narrow(x), N, C, times, yWidth, yStart, Narrow(y));
    }

    /// <inheritdoc/>
    public override void SumRepeatedRows(Values x, int xWidth, int xStart, int N, int C, int times, Target y)
    {
        if (!AreNarrow(x, y.Values))
            base.SumRepeatedRows(x, xWidth, xStart, N, C, times, y);
        else if (!y.IsNone)
            Launch("sum_repeated_rows_bfloat16", QuadsOfRows(N, C), Narrow(x), xWidth, xStart, N, C, times, Narrow(y));
    }

    /// <summary>A thread for each four columns of each row.</summary>
    private static Grid QuadsOfRows(int N, int C) => Grid.Elements((long)N * Ceiling.Divide(C, 4), each: 1);

    /// <summary>The kernel launched last made these offsets: their way to the host begins, so that
    /// the grouped products that follow need not wait for more than it. Where no product asks for
    /// them here, since ours read them on the device, nothing is copied.</summary>
    internal void PublishOffsets(Ints offsets)
    {
        device.MakeCurrent();
        if (!productsAskForOffsets || device.IsRecording) // a recorded step has no product that asks for them
            publishedOffsets.Forget(offsets.Address, (long)offsets.Length * sizeof(int));
        else
            publishedOffsets.Publish(offsets);
    }

    /// <summary>A copy to memory of the garbage collector, where it lies: slower by the byte, and nothing is copied twice.</summary>
    private void DownloadUnpinned(nint source, Span<byte> destination)
    {
        device.RequireNotRecording("the host reads", destination.Length);
        fixed (byte* to = destination) // stays until the wait is over
        {
            CUResult result =
                Driver.AsynchronousMemcpy_v2.cuMemcpyDtoHAsync_v2((nint)to, new CUdeviceptr(source), destination.Length, device.Stream);
            if (result != CUResult.Success)
                throw device.Failure("A copy from the device", $" of {Size.Of(destination.Length)}", result);
            device.Synchronize();
        }
    }

    /// <summary>The offsets on the host, good until the next call.</summary>
    private ReadOnlySpan<int> HostOffsets(Ints offsets)
    {
        device.RequireNotRecording("cuBLAS needs the rows of each expert on the host (--grouped own reads them on the device)");
        device.MakeCurrent();
        return publishedOffsets.Read(offsets);
    }

    /// <summary>Stores <paramref name="value"/> in n floats.</summary>
    private void Fill(nint address, long n, float value)
    {
        if (n == 0)
            return;
        device.MakeCurrent();
        CUResult result =
            Driver.MemsetAsync.cuMemsetD32Async(new CUdeviceptr(address), BitConverter.SingleToUInt32Bits(value), n, device.Stream);
        if (result != CUResult.Success)
            throw device.Failure("A fill", $" of {n} floats", result);
    }
}
