using BenchmarkDotNet.Attributes;
using TinyMoE.Backends.Cpu;
using Floats = TinyMoE.Memory.View<float>;
using Ints = TinyMoE.Memory.View<int>;

namespace TinyMoE.Benchmarks;

/// <summary>The matrix products of a small model, named by where they occur: 2048 tokens, 128 channels, 8 experts of hidden size 256, two a token.</summary>
[MemoryDiagnoser]
public class MatmulKernels
{
    private const int N = 2048, C = 128, E = 8, F = 256, V = 65, Rows = 2 * N;

    private CpuBackend backend = null!;
    private Floats x, w, y;
    private Ints offsets;

    [GlobalSetup]
    public void Setup()
    {
        backend = new CpuBackend();
        (x, w, y) = (Zeros(Rows * F), Zeros(E * F * C), Zeros(Rows * F));
        offsets = backend.Pool.Rent((E + 1) * sizeof(int)).As<int>(E + 1);
        backend.Write([.. Enumerable.Range(0, E + 1).Select(e => e * Rows / E)], offsets);
    }

    [GlobalCleanup]
    public void Cleanup() => backend.Dispose();

    [Benchmark]
    public void Router() => backend.MatMul(x, false, w, true, 1, N, E, C, y);

    [Benchmark]
    public void ExpertUp() => backend.GroupedMatMul(x, w, offsets, E, Rows, C, F, y);

    [Benchmark]
    public void ExpertUpBackwardInput() => backend.GroupedMatMulBackwardInput(x, w, offsets, E, Rows, C, F, y);

    [Benchmark]
    public void ExpertUpBackwardWeight() => backend.GroupedMatMulBackwardWeight(x, y, offsets, E, Rows, C, F, w);

    [Benchmark]
    public void AttentionProjection() => backend.MatMul(x, false, w, true, 1, N, C, C, y);

    [Benchmark]
    public void AttentionProjectionBackwardWeight() => backend.MatMul(x, true, y, false, 1, C, C, N, w);

    [Benchmark]
    public void LanguageModelHead() => backend.MatMul(x, false, w, true, 1, N, V, C, y);

    private Floats Zeros(int length)
    {
        Floats values = backend.Pool.Rent((long)length * sizeof(float)).As<float>(length);
        backend.Write(new float[length], values);
        return values;
    }
}
