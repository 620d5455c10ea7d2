using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class EmbeddingTests : OpTests<EmbeddingTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases => [Embedding(1, 1, 1), Embedding(37, 9, 13), Embedding(5, 30, 17), Embedding(1000, 50, 19)];

    [Fact]
    public void IdOutsideTheTable_Throws()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor table = tape.Variable((3, 2), new float[6]);
        Assert.Contains("id 3", Assert.Throws<ArgumentException>(() => tape.Embedding(table, tape.Ints([0, 3]))).Message);
        Assert.Contains("id -1", Assert.Throws<ArgumentException>(() => tape.Embedding(table, tape.Ints([-1]))).Message);
    }

    [Fact]
    public void Backward_RepeatedAndAbsentIds_SumsAndZeros()
    {
        using CpuBackend backend = new(2);
        using Tape tape = backend.NewTape();
        Tensor table = tape.Variable((4, 1), [10, 20, 30, 40]);
        Tensor y = tape.Embedding(table, tape.Ints([2, 0, 2, 2]));
        Assert.Equal([30f, 10f, 30f, 30f], y.ToArray());
        tape.Backward(y, [1, 2, 3, 4]);
        Assert.Equal([2f, 0f, 8f, 0f], backend.Read(table.Grad));
    }

    [Fact]
    public void Backward_ManyRows_AnyThreads_SameBits()
    {
        float[][] results = [.. new[] { 1, 3 }.Select(threads =>
        {
            using CpuBackend backend = new(threads);
            using Tape tape = backend.NewTape();
            Tensor table = tape.Variable((65, 33), new float[65 * 33]);
            Tensor y = tape.Embedding(table, tape.Ints([.. Enumerable.Range(0, 5000).Select(n => n * n % 65)]));
            tape.Backward(y, tape.Uniform(5000 * 33, new RandomKey(1, RandomPurpose.Other, 0)).ToArray());
            return backend.Read(table.Grad);
        })];
        Assert.Equal(results[0], results[1]);
    }

    private static OpCase Embedding(int N, int V, int C)
    {
        int[] ids = [.. Enumerable.Range(0, N).Select(n => n * n * 7 % V)];
        return new OpCase($"Embedding {N} of {V}x{C}", [(V, C)], x => x[0].Tape.Embedding(x[0], x[0].Tape.Ints(ids)),
            x => [.. ids.SelectMany(id => x[0].Skip(id * C).Take(C))]);
    }
}
