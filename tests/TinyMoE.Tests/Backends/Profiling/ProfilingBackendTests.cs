using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Backends.Profiling;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Backends.Profiling;

public sealed class ProfilingBackendTests : IDisposable
{
    private readonly CpuBackend cpu = new(1);
    private readonly ProfilingBackend profiling;
    private readonly Tape tape;

    public ProfilingBackendTests()
    {
        profiling = new ProfilingBackend(cpu);
        tape = profiling.NewTape();
    }

    public void Dispose()
    {
        tape.Dispose();
        profiling.Dispose();
    }

    [Fact]
    public void NameAndPool_AreTheOthers()
    {
        Assert.Equal(cpu.Name, profiling.Name);
        Assert.Same(cpu.Pool, profiling.Pool);
    }

    [Fact]
    public void MatMul_CountsCallsOperationsAndBytes_ByShapeAndForm()
    {
        View<float> a = New(3 * 7), b = New(7 * 5), c = New(3 * 5);
        profiling.MatMul(a, false, b, true, 1, 3, 5, 7, c);
        profiling.MatMul(a, false, b, true, 1, 3, 5, 7, new Target(c, Adds: true));
        profiling.MatMul(a, true, b, false, 1, 3, 5, 7, c);
        KernelProfile kernel = Kernel("MatMul 3x5x7 NT");
        Assert.Equal((2, 2.0 * 2 * 3 * 5 * 7), (kernel.Calls, kernel.Flops));
        Assert.Equal(4.0 * (2 * (3 * 7 + 7 * 5) + 3 * 5 + 2 * 3 * 5), kernel.Bytes); // the second call reads c as well
        Assert.Equal(1, Kernel("MatMul 3x5x7 TN").Calls);
        Assert.True(kernel.Time > TimeSpan.Zero);
        Assert.Equal(kernel.Flops / kernel.Time.TotalSeconds / 1e9, kernel.GigaflopsPerSecond);
    }

    [Theory]
    [InlineData(0, 2 * 3 * (4 + 5 + 6))] // query t of 3 sees the 6 keys up to t + 3
    [InlineData(5, 2 * 3 * (4 + 5 + 5))]
    public void Attention_CountsThePairsThatAreSeen(int window, int pairs)
    {
        AttentionSizes sizes = new(B: 2, T: 3, S: 6, H: 3, KvHeads: 1, D: 4, window);
        View<float> q = New(2 * 3 * 3 * 4), k = New(2 * 6 * 4), v = New(2 * 6 * 4), y = New(2 * 3 * 3 * 4), logSumExp = New(2 * 3 * 3);
        profiling.AttentionForward(q, k, v, sizes, Dropout.None, y, logSumExp);
        KernelProfile kernel = Kernel("AttentionForward 2x3x3x4");
        Assert.Equal(4.0 * pairs * 4, kernel.Flops);
        Assert.Equal(4.0 * (2 * 72 + 2 * 48 + 18), kernel.Bytes);
    }

    [Fact]
    public void OutputThatNobodyWants_MovesNothing()
    {
        View<float> x = New(10), w = New(5), r = New(2), dx = New(10);
        profiling.RmsNormBackward(x, default, x, w, r, 2, 5, dx, Target.None, Target.None);
        Assert.Equal(4.0 * (10 + 10 + 5 + 2 + 10), Kernel("RmsNormBackward 2x5").Bytes);
    }

    [Fact]
    public void NotCounting_PassesOnAndCountsNothing()
    {
        profiling.Counting = false;
        View<float> y = New(3);
        profiling.Fill(y, 2f);
        Assert.Equal([2f, 2f, 2f], cpu.Read(y));
        Assert.Empty(profiling.Kernels);
    }

    private View<float> New(int count) => tape.Constant(count, new float[count]).Data;

    private KernelProfile Kernel(string name) => Assert.Single(profiling.Kernels, kernel => kernel.Name == name);
}
