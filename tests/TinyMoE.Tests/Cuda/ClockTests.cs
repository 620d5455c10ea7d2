using TinyMoE.Backends.Cases;
using TinyMoE.Backends.Profiling;
using TinyMoE.Cuda;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Cuda;

/// <summary>A profile of a CUDA device has the device's own times, and nobody waits for them while it works.</summary>
[Collection(CudaCollection.Name)]
public sealed class ClockTests
{
    [CudaTheory]
    [InlineData("")]
    [InlineData("lazy")]
    public void Profile_WaitsOnceWhenItIsRead(string settings)
    {
        using CudaBackend cuda = TestDevice.NewBackend(settings);
        ProfilingBackend profile = new(cuda); // not disposed: it would dispose the other, too
        using KernelData d = new(cuda);
        Floats x = d.In(64 * 64), y = d.Out(64 * 64);
        profile.Counting = false;
        profile.Fill(y, 1f);
        profile.Counting = true;
        long waits = cuda.Synchronizations;
        for (int i = 0; i < 3; i++)
            profile.MatMul(x, false, x, true, 1, 64, 64, 64, y);
        profile.CopyColumns(x, 64, 0, 64, 64, 64, 0, y);
        Assert.Equal(waits, cuda.Synchronizations);

        IReadOnlyList<KernelProfile> kernels = profile.Kernels;
        Assert.Equal(waits + 1, cuda.Synchronizations);
        Assert.True(profile.HasDeviceTimes);
        Assert.Equal([1, 3], kernels.Select(kernel => kernel.Calls).Order());
        Assert.All(kernels, kernel => Assert.InRange(kernel.Time, TimeSpan.Zero, TimeSpan.FromMinutes(1)));
        Assert.Equal(kernels.Sum(kernel => kernel.Calls), profile.Kernels.Sum(kernel => kernel.Calls));
        Assert.Equal(waits + 1, cuda.Synchronizations); // nothing new to wait for
        TestDevice.RequireNoFinding();
    }

    [CudaFact]
    public void Clock_TakesItsMarksAgain()
    {
        using CudaBackend cuda = TestDevice.NewBackend("lazy");
        using KernelData d = new(cuda);
        Floats y = d.Out(1000);
        for (int pass = 0; pass < 2; pass++)
        {
            int before = cuda.Clock!.Mark();
            cuda.Fill(y, pass);
            int after = cuda.Clock.Mark();
            Assert.Equal((0, 1), (before, after));
            cuda.Clock.Wait();
            Assert.InRange(cuda.Clock.Between(before, after), TimeSpan.Zero, TimeSpan.FromMinutes(1));
            cuda.Clock.Restart();
        }

        TestDevice.RequireNoFinding();
    }
}
