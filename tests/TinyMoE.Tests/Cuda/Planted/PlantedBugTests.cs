using ManagedCuda.BasicTypes;
using TinyMoE.Cuda;
using TinyMoE.Memory;

namespace TinyMoE.Tests.Cuda.Planted;

/// <summary>
/// Every check of the emulated device finds the mistake that it is there for (planted.cu), says where, and leaves a right kernel alone.
/// </summary>
[Collection(CudaCollection.Name)]
public sealed class PlantedBugTests
{
    [EmulatedTheory]
    [InlineData("")]
    [InlineData("race")]
    [InlineData("strict")]
    [InlineData("shuffle=3")]
    [InlineData("lazy")]
    [InlineData("race,strict,shuffle=9,lazy,count")]
    public void RightKernel_HasNoFinding(string settings)
    {
        using PlantedDevice device = new(settings);
        CUdeviceptr x = device.Floats(100), y = device.Floats(100);
        Assert.Equal(CUResult.Success, device.Run("right", x, y, 100, blocks: 2));
        Assert.Equal([.. Enumerable.Range(1, 100).Select(i => 2f * i)], device.Read(y, 100, waits: true));
        Assert.Equal("", Emulator.TakeFindings());
    }

    [EmulatedTheory]
    [InlineData("off_by_one", "", 700, "past the end")]
    [InlineData("misaligned_load", "", 716, "align")]
    [InlineData("removed_barrier", "race", 719, "race")]
    [InlineData("divergent_barrier", "strict", 719, "barrier")]
    [InlineData("unwritten_shared", "race", 719, "nobody wrote")]
    [InlineData("blocks_meet", "race", 719, "block")]
    [InlineData("absent_lanes", "strict", 719, "shfl")]
    public void PlantedBug_IsFound_AndSaysWhere(string kernel, string settings, int error, string words)
    {
        using PlantedDevice device = new(settings);
        CUdeviceptr x = device.Floats(100), y = device.Floats(64);
        Assert.Equal((CUResult)error, device.Run(kernel, x, y, kernel == "unwritten_shared" ? 32 : 64, blocks: 2));
        string finding = Emulator.TakeFindings();
        Assert.Contains(kernel, finding, StringComparison.Ordinal);
        Assert.Contains("thread", finding, StringComparison.Ordinal);
        Assert.Contains("line", finding, StringComparison.Ordinal);
        Assert.Contains("planted.cu", finding, StringComparison.Ordinal);
        Assert.Contains(words, finding, StringComparison.OrdinalIgnoreCase);
    }

    [EmulatedFact]
    public void MemoryAfterItsRelease_IsFound()
    {
        using PlantedDevice device = new("");
        CUdeviceptr x = device.Floats(64), y = device.Floats(64);
        device.Free(x);
        Assert.Equal((CUResult)700, device.Run("right", x, y, 64));
        Assert.Contains("released", Emulator.TakeFindings(), StringComparison.OrdinalIgnoreCase);
    }

    [EmulatedFact]
    public void ReadBeforeWaiting_SeesNoResult_WhenStreamsAreLazy()
    {
        using PlantedDevice device = new("lazy");
        CUdeviceptr x = device.Floats(64), y = device.Floats(64);
        device.Launch("right", x, y, 64);
        Assert.All(
            device.Read(y, 64, waits: false),
            value => Assert.False(value is > 0f and <= 128f, $"{value} was there before anybody waited"));
        Assert.Equal(2f, device.Read(y, 64, waits: true)[0]);
    }

    [EmulatedFact]
    public void FreshMemory_IsPoisoned()
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        DeviceBuffer buffer = cuda.Pool.Rent(4096 + 64); // a size that nobody returned before
        Assert.All(cuda.Read(buffer.As<uint>(16)), bits => Assert.Equal(0xCBCBCBCB, bits));
        cuda.Pool.Return(buffer);
    }

    [EmulatedFact]
    public void ArgumentOfTheWrongSize_IsRefusedBeforeTheLaunch()
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(
            () => cuda.Launch("widen_bfloat16", new Grid(1), 1L, 2, 3L)); // n has 8 bytes
        Assert.Contains("Argument 1 of widen_bfloat16 has 4 bytes", error.Message, StringComparison.Ordinal);
    }
}
