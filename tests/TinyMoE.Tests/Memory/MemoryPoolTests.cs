using TinyMoE.Memory;

namespace TinyMoE.Tests.Memory;

public sealed class MemoryPoolTests
{
    [Fact]
    public void Rent_SameSizeAgain_ReusesTheBuffer()
    {
        using MemoryPool pool = new(new CountingAllocator());
        DeviceBuffer first = pool.Rent(100);
        pool.Return(first);
        Assert.Same(first, pool.Rent(70)); // both round up to 128 bytes
        Assert.Equal(1, pool.Misses);
        Assert.NotSame(first, pool.Rent(100));
        Assert.Equal(2, pool.Misses);
    }

    [Fact]
    public void Rent_AnotherSize_IsAMiss()
    {
        using MemoryPool pool = new(new CountingAllocator());
        pool.Return(pool.Rent(64));
        pool.Rent(65);
        Assert.Equal(2, pool.Misses);
    }

    [Fact]
    public void Rent_NothingAtAll_IsABufferToo()
    {
        using MemoryPool pool = new(new CountingAllocator());
        DeviceBuffer buffer = pool.Rent(0);
        Assert.Equal(64, buffer.Bytes);
        Assert.Equal(0, buffer.As<float>(0).Length);
    }

    [Fact]
    public void Return_Twice_Throws()
    {
        using MemoryPool pool = new(new CountingAllocator());
        DeviceBuffer buffer = pool.Rent(64);
        pool.Return(buffer);
        Assert.Throws<InvalidOperationException>(() => pool.Return(buffer));
    }

    [Fact]
    public void Counters_RentAndReturn_FollowWhatIsOut()
    {
        using MemoryPool pool = new(new CountingAllocator());
        DeviceBuffer one = pool.Rent(64), two = pool.Rent(1000);
        Assert.Equal((2, 64 + 1024), (pool.LiveBuffers, pool.LiveBytes));
        pool.Return(two);
        pool.Return(one);
        Assert.Equal((0, 0, 64 + 1024), (pool.LiveBuffers, pool.LiveBytes, pool.PeakBytes));
    }

    [Fact]
    public void Chain_Returned_GivesEveryBufferBackOnce()
    {
        using MemoryPool pool = new(new CountingAllocator());
        DeviceBuffer[] buffers = [pool.Rent(64), pool.Rent(1000), pool.Rent(64)];
        BufferChain chain = default;
        Assert.True(chain.IsEmpty);
        foreach (DeviceBuffer buffer in buffers)
            chain.Add(buffer);
        chain.ReturnTo(pool);
        Assert.True(chain.IsEmpty);
        Assert.Equal((0, 3), (pool.LiveBuffers, pool.Misses));
        chain.ReturnTo(pool);

        chain.Add(pool.Rent(1000)); // the buffer forgot its neighbours of the first time
        chain.ReturnTo(pool);
        Assert.Equal((0, 3), (pool.LiveBuffers, pool.Misses));
    }

    [Fact]
    public void Dispose_RentedOrNot_FreesAll()
    {
        CountingAllocator allocator = new();
        MemoryPool pool = new(allocator);
        pool.Return(pool.Rent(64));
        pool.Rent(1000);
        pool.Dispose();
        Assert.Equal(2, allocator.Allocated);
        Assert.Equal(2, allocator.Freed);
        pool.Dispose();
        Assert.Equal(2, allocator.Freed);
    }

    [Fact]
    public void As_MoreThanTheBufferHolds_Throws()
    {
        using MemoryPool pool = new(new CountingAllocator());
        DeviceBuffer buffer = pool.Rent(64);
        Assert.Equal(16, buffer.As<float>(16).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.As<float>(17));
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.As<double>(9));
    }

    [Fact]
    public void Slice_OutOfRange_Throws()
    {
        View<float> view = new(4096, 10);
        Assert.Equal((4096 + 12, 4), (view.Slice(3, 4).Address, view.Slice(3, 4).Length));
        Assert.Equal(0, view.Slice(10, 0).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => view.Slice(7, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => view.Slice(-1, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => view.Slice(0, int.MaxValue));
    }

    /// <summary>Hands out made-up addresses.</summary>
    private sealed class CountingAllocator : IDeviceAllocator
    {
        public int Allocated { get; private set; }

        public int Freed { get; private set; }

        public nint Allocate(long bytes) => ++Allocated * 0x10000;

        public void Free(nint address) => Freed++;
    }
}
