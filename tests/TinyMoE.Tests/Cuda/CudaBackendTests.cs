using TinyMoE.Backends;
using TinyMoE.Backends.Cases;
using TinyMoE.Cuda;
using TinyMoE.Memory;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Cuda;

/// <summary>What every kernel of the CUDA backend stands on: copies, waits, memory.</summary>
[Collection(CudaCollection.Name)]
public sealed class CudaBackendTests
{
    [CudaTheory]
    [InlineData("")]
    [InlineData("lazy")]
    public void Transfers_OfMoreThanTheRingHolds_ArriveWhole(string settings)
    {
        CudaBackend cuda = TestDevice.SharedBackend(settings);
        float[] values = [.. Enumerable.Range(0, 3_000_001).Select(i => (float)i)];
        using KernelData d = new(cuda);
        Floats on = d.In(values);
        Assert.Equal(values, cuda.Read(on));
        Assert.Equal(values[17..1_000_020], cuda.Read(on.Slice(17, 1_000_003)));
        Assert.Equal(values[2_999_990..], cuda.Read(on.Slice(2_999_990, 11)));
        Assert.Empty(cuda.Read(on.Slice(5, 0)));
        TestDevice.RequireNoFinding();
    }

    [CudaFact]
    public void Write_NeverWaits_WhileTheRingHasRoom()
    {
        CudaBackend cuda = TestDevice.SharedBackend("lazy");
        using KernelData d = new(cuda);
        Floats on = d.Rent<float>(1000);
        float[] values = new float[1000];
        long waits = cuda.Synchronizations;
        for (int i = 0; i < 900; i++)
        {
            values[^1] = i;
            cuda.Write<float>(values, on); // and `values` may change at once
        }

        Assert.Equal(waits, cuda.Synchronizations);
        Assert.Equal(899f, cuda.Read(on)[^1]);
        Assert.Equal(waits + 1, cuda.Synchronizations);
    }

    [EmulatedFact]
    public void Activity_OfAWriteAndARead_SaysCopiesAndBytes()
    {
        CudaBackend cuda = TestDevice.SharedBackend("");
        using KernelData d = new(cuda);
        Floats on = d.Rent<float>(3);
        cuda.Synchronize();
        Emulator.Configure("");
        cuda.Write<float>([1, 2, 3], on);
        Assert.Equal([1f, 2f, 3f], cuda.Read(on));
        IReadOnlyDictionary<string, long> activity = Emulator.Activity();
        Assert.Equal((1, 12), (activity["copiesToDevice"], activity["bytesToDevice"]));
        Assert.Equal((1, 12), (activity["copiesToHost"], activity["bytesToHost"]));
        Assert.Equal((1, 0, 0), (activity["synchronizations"], activity["launches"], activity["products"]));
        TestDevice.RequireNoFinding();
    }

    [CudaFact]
    public void ReadCounts_WaitsOnceForAPlan()
    {
        CudaBackend cuda = TestDevice.SharedBackend("lazy");
        using KernelData d = new(cuda);
        (Ints offsets, int[] counts) = (d.Rent<int>(4), new int[4]);
        (Ints rows, Ints tokenOffsets) = (d.Rent<int>(5), d.Rent<int>(6));
        cuda.Assign(d.In([2, 0, 2, 2, 0]), 5, 3, 1, 5, offsets, rows, d.Rent<int>(5), d.Rent<int>(5), tokenOffsets);
        long waits = cuda.Synchronizations;
        for (int i = 0; i < 3; i++)
        {
            cuda.ReadCounts(offsets, counts);
            Assert.Equal([0, 2, 2, 5], counts);
            Assert.Equal(waits + 1, cuda.Synchronizations);
        }

        cuda.Assign(d.In([1, 1, 1, 1, 0]), 5, 3, 1, 5, offsets, rows, d.Rent<int>(5), d.Rent<int>(5), tokenOffsets);
        cuda.ReadCounts(offsets, counts);
        Assert.Equal([0, 1, 5, 5], counts);
        TestDevice.RequireNoFinding();
    }

    [CudaTheory]
    [InlineData("")]
    [InlineData("lazy")]
    public void ReadCounts_OfOffsetsWrittenAnew_AreTheNewOnes(string settings)
    {
        CudaBackend cuda = TestDevice.SharedBackend(settings);
        using KernelData d = new(cuda);
        Ints offsets = d.In([0, 2, 3]);
        int[] counts = new int[3];
        cuda.ReadCounts(offsets, counts);
        Assert.Equal([0, 2, 3], counts);

        cuda.Write([0, 1, 5], offsets);
        cuda.ReadCounts(offsets, counts);
        Assert.Equal([0, 1, 5], counts);

        cuda.Write([7], offsets.Slice(2, 1));
        cuda.ReadCounts(offsets, counts);
        Assert.Equal([0, 1, 7], counts);
    }

    [CudaFact]
    public void ReadCounts_OfMorePlansThanAreKept_AreAllRight()
    {
        CudaBackend cuda = TestDevice.SharedBackend("");
        using KernelData d = new(cuda);
        Ints[] plans = [.. Enumerable.Range(0, 600).Select(i => d.In(Enumerable.Range(i, 2 + i % 90).ToArray()))];
        for (int pass = 0; pass < 2; pass++)
        {
            for (int i = 0; i < plans.Length; i++)
            {
                int[] counts = new int[plans[i].Length];
                cuda.ReadCounts(plans[i], counts);
                Assert.Equal(Enumerable.Range(i, counts.Length), counts);
            }
        }
    }

    [CudaFact]
    public void Calls_AllocateNoManagedMemory()
    {
        CudaBackend cuda = TestDevice.SharedBackend("");
        using KernelData d = new(cuda);
        (Floats x, Floats w, Floats y) = (d.In(12 * 8), d.In(3 * 4 * 8), d.Out(12 * 4));
        Ints offsets = d.In([0, 5, 7, 12]);
        float[] values = new float[4];
        for (int pass = 0; pass < 3; pass++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            cuda.Write<float>(values, y.Slice(0, 4));
            cuda.Fill(y, 0f);
            cuda.CopyColumns(x, 8, 1, 12, 4, 4, 0, y);
            cuda.MatMul(x, false, w, true, 1, 12, 4, 8, y, new Epilogue { Bias = w, Activation = Unary.Gelu, Activated = y });
            cuda.MatMul(x, false, w, true, 3, 4, 4, 8, y);
            cuda.GroupedMatMul(x, w, offsets, 3, 12, 8, 4, y);
            cuda.Read(y.Slice(0, 4), values);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated == 0 || pass == 0, $"{allocated} bytes"); // the first pass compiles
        }
    }

    [EmulatedFact]
    public void Dispose_LeavesNothingOnTheDevice()
    {
        TestDevice.NewBackend().Dispose(); // what the driver makes once
        int before = Emulator.Allocations;
        using (CudaBackend cuda = TestDevice.NewBackend("lazy"))
        {
            DeviceBuffer kept = cuda.Pool.Rent(5000);
            cuda.Fill(kept.As<float>(100), 1f); // still to be done when the backend goes
            cuda.Pool.Return(cuda.Pool.Rent(100));
            Assert.True(Emulator.Allocations > before);
        }

        Assert.Equal(before, Emulator.Allocations);
        TestDevice.RequireNoFinding();
    }

    [EmulatedFact]
    public void Backends_OnManyThreads_WorkSideBySide()
    {
        Emulator.Configure("");
        float[] sums = new float[4];
        Thread[] threads = [.. Enumerable.Range(0, sums.Length).Select(i => new Thread(() =>
        {
            using CudaBackend cuda = new();
            DeviceBuffer buffer = cuda.Pool.Rent(400);
            for (int pass = 0; pass < 20; pass++)
                cuda.Fill(buffer.As<float>(100), i + pass);
            sums[i] = cuda.Read(buffer.As<float>(100)).Sum();
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        Assert.Equal([1900f, 2000f, 2100f, 2200f], sums);
    }
}
