using TinyMoE.Backends.Cpu;

namespace TinyMoE.Tests.Backends;

public sealed class CachesTests
{
    [Fact]
    public void Here_OnThisMachine_IsPossible()
    {
        Caches here = Caches.Here;
        Assert.InRange(here.FirstLevel, 8 * 1024, 1024 * 1024);
        Assert.InRange(here.FirstLevelWays, 1, 64);
        Assert.InRange(here.SecondLevel, 64 * 1024, 64 * 1024 * 1024);
        Assert.Equal(0, here.FirstLevel % (here.FirstLevelWays * Caches.Line));
    }

    [Fact]
    public void ReadLinux_FoldersOfOneCore_TakesDataCaches()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            Write(folder, 0, "1", "Data", "48K", "12");
            Write(folder, 1, "1", "Instruction", "32K", "8");
            Write(folder, 2, "2", "Unified", "2M", "16");
            Write(folder, 3, "3", "Unified", "266240K", "20");
            Assert.Equal((48 * 1024, 12, 2 * 1024 * 1024), Caches.ReadLinux(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void ReadLinux_NothingThere_IsNothing() => Assert.Equal((0, 0, 0), Caches.ReadLinux("/no/such/folder"));

    [Theory]
    [InlineData("many")]
    [InlineData("-32K")]
    [InlineData("99999999999999999999K")]
    [InlineData("")]
    public void ReadLinux_SizesThatAreNone_AreNothing(string size)
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            Write(folder, 0, "1", "Data", size, size);
            Assert.Equal((0, 0, 0), Caches.ReadLinux(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData(0, 0, 0, 32 * 1024, 8, 256 * 1024)]
    [InlineData(32 * 1024, 8, 512 * 1024, 32 * 1024, 8, 512 * 1024)]
    [InlineData(128 * 1024, 0, 12 * 1024 * 1024, 128 * 1024, 8, 12 * 1024 * 1024)]
    [InlineData(48 * 1024, 7, 100, 48 * 1024, 8, 256 * 1024)]
    [InlineData(long.MaxValue, 8, long.MaxValue, 32 * 1024, 8, 256 * 1024)]
    public void Of_WhatWasRead_FillsInTheRest(
        long first, long ways, long second, int expectedFirst, int expectedWays, int expectedSecond) =>
        Assert.Equal(new Caches(expectedFirst, expectedWays, expectedSecond), Caches.Of((first, ways, second)));

    [Theory]
    [InlineData(6, 4096, true)] // all on the eight places of one set: no place left for b
    [InlineData(6, 4096 + 64, false)]
    [InlineData(6, 1024, false)]
    [InlineData(256, 1024, true)]
    [InlineData(256, 64, false)]
    [InlineData(152, 344 * 4, false)]
    public void Conflicts_OfThirtyTwoKiBInEightWays(int lines, int stride, bool expected) =>
        Assert.Equal(expected, Caches.Smallest.Conflicts(lines, stride));

    private static void Write(string folder, int index, string level, string type, string size, string ways)
    {
        string cache = Directory.CreateDirectory(Path.Combine(folder, $"index{index}")).FullName;
        File.WriteAllText(Path.Combine(cache, "level"), level + "\n");
        File.WriteAllText(Path.Combine(cache, "type"), type + "\n");
        File.WriteAllText(Path.Combine(cache, "size"), size + "\n");
        File.WriteAllText(Path.Combine(cache, "ways_of_associativity"), ways + "\n");
    }
}
