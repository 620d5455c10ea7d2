using TinyMoE.Backends;
using TinyMoE.Backends.Cases;
using TinyMoE.Cuda;
using TinyMoE.Memory;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Cuda;

/// <summary>A launch, a product and a module need memory of the card, too. When it has none left they get what
/// the pool only keeps for later; when the pool keeps nothing, the error says what memory is used for.</summary>
[Collection(CudaCollection.Name)]
public sealed class MemoryPressureTests
{
    [EmulatedFact]
    public void Launch_GetsWhatThePoolKeeps()
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        using KernelData d = new(cuda);
        Floats x = d.In([1f, 2f, 3f, 4f]), y = d.Out(4);
        Press(cuda, "oom_launch=1");
        cuda.CopyColumns(x, 4, 0, 1, 4, 4, 0, y);
        Assert.Equal([1f, 2f, 3f, 4f], cuda.Read(y));
        TestDevice.RequireNoFinding();
    }

    [EmulatedTheory]
    [InlineData("product")]
    [InlineData("batch")]
    [InlineData("bfloat16")]
    [InlineData("grouped")]
    public void Product_GetsWhatThePoolKeeps(string kind)
    {
        TensorCores cores = kind == "bfloat16" ? TensorCores.Bfloat16 : TensorCores.Off;
        using CudaBackend cuda = TestDevice.NewBackend(
            options: new CudaOptions { TensorCores = cores, Grouped = GroupedProducts.Cublas });
        using KernelData d = new(cuda);
        Target y = d.Added(8);
        float[] before = cuda.Read(y.View);
        (Floats x, Floats w) = (d.In(Ones(8)), d.In(Ones(16)));
        View<ushort> rounded = d.In(Enumerable.Repeat((ushort)0x3F80, 16).ToArray());
        View<int> offsets = d.In([0, 1, 2]);
        cuda.ReadCounts(offsets, new int[3]);
        Press(cuda, "oom_product=1");
        if (kind == "grouped")
            cuda.GroupedMatMul(x.Slice(0, 4), w, offsets, 2, 2, 2, 4, y);
        else if (kind == "batch")
            cuda.MatMul(x, false, w.Slice(0, 8), true, 2, 2, 2, 2, y);
        else
            cuda.MatMul(x, false, kind == "bfloat16" ? Weights.Of(ElementType.Bfloat16, rounded) : (Weights)w, true, 1, 2, 4, 4, y);
        float each = kind is "grouped" or "batch" ? 2 : 4; // added once, not twice
        Assert.Equal(before.Select(value => value + each), cuda.Read(y.View));
        TestDevice.RequireNoFinding();
    }

    [EmulatedFact]
    public void Launch_WhereNothingIsKept_TellsWhatMemoryIsUsedFor()
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        DeviceBuffer buffer = cuda.Pool.Rent(1 << 20, "the activations");
        Floats x = buffer.As<float>(256);
        Emulator.Configure("oom_launch=1");
        AssertOutOfMemory(
            () => cuda.CopyColumns(x, 8, 0, 8, 8, 8, 0, x.Slice(128, 64)),
            "The launch of copy_columns (1 x 1 x 1 blocks of 256 threads) found none left", "1 MiB are live", "the activations");
        Emulator.Configure("oom_product=1");
        AssertOutOfMemory(
            () => cuda.MatMul(x, false, x, true, 1, 2, 2, 2, x.Slice(128, 4)), "cublasSgemm of 2x2x2 NT found none left", "1 MiB are live");
        Emulator.Configure("");
        cuda.Pool.Return(buffer);
    }

    [EmulatedFact]
    public void Module_ThatFindsNoMemory_IsTold()
    {
        Emulator.Configure("oom_module=2");
        AssertOutOfMemory(() => new CudaBackend().Dispose(), ".ptx found none left");
        Emulator.Configure("");
    }

    /// <summary>The pool keeps a buffer, and the next call of the kind finds no memory.</summary>
    private static void Press(CudaBackend cuda, string settings)
    {
        cuda.Pool.Return(cuda.Pool.Rent(1 << 20));
        Emulator.Configure(settings);
    }

    private static float[] Ones(int n) => [.. Enumerable.Repeat(1f, n)];

    private static void AssertOutOfMemory(Action action, params string[] parts)
    {
        string message = Assert.ThrowsAny<TinyMoEException>(action).Message;
        foreach (string part in (string[])["Out of memory on cuda:0", "Use a smaller batch", .. parts])
            Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }
}
