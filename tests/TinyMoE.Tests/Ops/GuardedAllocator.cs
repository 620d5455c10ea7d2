using System.Runtime.InteropServices;
using TinyMoE.Memory;

namespace TinyMoE.Tests.Ops;

/// <summary>
/// Host memory filled with NaN, between two guards that must stay as they
/// were: finds reads of what was never written and writes past the ends.
/// </summary>
internal sealed unsafe class GuardedAllocator : IDeviceAllocator, IDisposable
{
    private const int GuardBytes = 256;
    private const byte Guard = 0xA5;

    private readonly List<(nint Address, long Bytes)> blocks = [];

    public nint Allocate(long bytes)
    {
        byte* start = (byte*)NativeMemory.AlignedAlloc((nuint)(bytes + 2 * GuardBytes), 64);
        new Span<byte>(start, GuardBytes).Fill(Guard);
        new Span<byte>(start + GuardBytes, (int)bytes).Fill(0xFF); // a NaN of every width
        new Span<byte>(start + GuardBytes + bytes, GuardBytes).Fill(Guard);
        blocks.Add(((nint)(start + GuardBytes), bytes));
        return (nint)(start + GuardBytes);
    }

    public void Free(nint address)
    {
        // Kept until Dispose, so that a write after the free is found too.
    }

    public void AssertNothingWrittenOutside()
    {
        foreach ((nint address, long bytes) in blocks)
        {
            byte* data = (byte*)address;
            for (int i = 1; i <= GuardBytes; i++)
            {
                Assert.True(data[-i] == Guard, $"byte {-i} before a block of {bytes} bytes was written");
                Assert.True(data[bytes + i - 1] == Guard, $"byte {i - 1} past a block of {bytes} bytes was written");
            }
        }
    }

    public void Dispose()
    {
        foreach ((nint address, _) in blocks)
            NativeMemory.AlignedFree((byte*)address - GuardBytes);
    }
}
