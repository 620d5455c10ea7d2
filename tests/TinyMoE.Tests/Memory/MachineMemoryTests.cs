using TinyMoE.Memory;

namespace TinyMoE.Tests.Memory;

public sealed class MachineMemoryTests
{
    private const string Meminfo = "MemTotal:       16000000 kB\nMemFree:        1 kB\nSwapTotal:       2000000 kB\nSwapFree:  0 kB\n";
    private const long Memory = 16_000_000L * 1024, Swap = 2_000_000L * 1024;

    [Fact]
    public void Bytes_OfThisMachine_AreSome() => Assert.InRange(MachineMemory.Bytes, 1L << 26, 1L << 50);

    [Fact]
    public void OfLinux_WithoutAGroup_IsMemoryAndSwap() => Assert.Equal(Memory + Swap, Of(("/proc/meminfo", Meminfo)));

    [Theory]
    [InlineData("0::/\n", "/sys/fs/cgroup/memory.max", "1000000000\n", 1_000_000_000 + Swap)]
    [InlineData("0::/\n", "/sys/fs/cgroup/memory.max", "max\n", Memory + Swap)]
    [InlineData("0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max", "1000000000\n", 1_000_000_000 + Swap)]
    [InlineData("0::/a/b\n", "/sys/fs/cgroup/a/memory.max", "1000000000\n", 1_000_000_000 + Swap)]
    [InlineData("0::/a/b\n", "/sys/fs/cgroup/memory.max", "1000000000\n", 1_000_000_000 + Swap)]
    [InlineData("0::/a/b\n", "/sys/fs/cgroup/c/memory.max", "1000000000\n", Memory + Swap)]
    [InlineData(
        "4:cpu:/x\n3:memory,hugetlb:/y\n0::/\n", "/sys/fs/cgroup/memory/y/memory.limit_in_bytes", "1000000000", 1_000_000_000 + Swap)]
    [InlineData("3:memory:/y\n", "/sys/fs/cgroup/memory/y/memory.limit_in_bytes", "9223372036854771712", Memory + Swap)]
    [InlineData("nonsense", "/sys/fs/cgroup/memory.max", "1000000000", Memory + Swap)]
    public void OfLinux_InAGroup_IsWhatTheGroupsLeave(string groups, string file, string limit, long expected) =>
        Assert.Equal(expected, Of(("/proc/meminfo", Meminfo), ("/proc/self/cgroup", groups), (file, limit)));

    [Fact]
    public void OfLinux_WithoutFiles_AsksTheRuntime() => Assert.Equal(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, Of());

    private static long Of(params (string Path, string Text)[] files) =>
        MachineMemory.OfLinux(path => files.FirstOrDefault(file => file.Path == path).Text);
}
