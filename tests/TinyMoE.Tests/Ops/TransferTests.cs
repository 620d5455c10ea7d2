using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class TransferTests : OpTests<TransferTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        Slice(1, 1, 0, 1), Slice(5, 37, 3, 19), Slice(5, 37, 0, 37), Slice(601, 3, 2, 1),
        Concat(1, 1, 1), Concat(5, 37, 3), Concat(301, 1, 4), SlicesOfOne(7, 11),
        ConcatShared(1, 1, 1, 1), ConcatShared(5, 3, 37, 3), ConcatShared(301, 2, 1, 4), ConcatShared(7, 1, 4, 8),
        Pad(1, 1, 2), Pad(5, 37, 41), Pad(601, 3, 8),
    ];

    [Fact]
    public void SliceColumns_Outside_Throws()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Constant((2, 5));
        Assert.Throws<ArgumentException>(() => x.SliceColumns(3, 3));
        Assert.Throws<ArgumentException>(() => x.SliceColumns(-1, 2));
        Assert.Throws<ArgumentException>(() => x.ConcatColumns(tape.Constant((3, 5))));
        Assert.Throws<ArgumentException>(() => x.ConcatShared(tape.Constant((3, 5))));
        Assert.Throws<ArgumentException>(() => x.PadColumns(4));
        Assert.Same(x, x.PadColumns(5));
    }

    [Fact]
    public void Fill_ManyPieces_WritesAll()
    {
        using CpuBackend backend = new(3);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Constant(50_001);
        backend.Fill(x.Data, 2.5f);
        Assert.All(x.ToArray(), v => Assert.Equal(2.5f, v));
    }

    private static OpCase Slice(int N, int C, int start, int count) => new(
        $"SliceColumns {N}x{C} from {start} count {count}", [(N, C)], x => x[0].SliceColumns(start, count),
        x => [.. x[0].Chunk(C).SelectMany(row => row.Skip(start).Take(count))]);

    private static OpCase Concat(int N, int A, int B) => new(
        $"ConcatColumns {N}x{A} {B}", [(N, A), (N, B)], x => x[0].ConcatColumns(x[1]),
        x => [.. x[0].Chunk(A).Zip(x[1].Chunk(B)).SelectMany(rows => rows.First.Concat(rows.Second))]);

    private static OpCase ConcatShared(int N, int times, int A, int B) => new(
        $"ConcatShared {N}*{times}x{A} {B}", [(N * times, A), (N, B)], x => x[0].ConcatShared(x[1]),
        x => [.. x[0].Chunk(A).SelectMany((row, n) => row.Concat(x[1].Skip(n / times * B).Take(B)))]);

    private static OpCase Pad(int N, int C, int width) => new(
        $"PadColumns {N}x{C} to {width}", [(N, C)], x => x[0].PadColumns(width),
        x => [.. x[0].Chunk(C).SelectMany(row => row.Concat(new double[width - C]))]);

    private static OpCase SlicesOfOne(int N, int C) => new(
        $"SliceColumns twice {N}x{C}", [(N, C)], x => x[0].SliceColumns(1, C - 1).Multiply(x[0].SliceColumns(0, C - 1)),
        x => [.. x[0].Chunk(C).SelectMany(row => row.Skip(1).Zip(row, (a, b) => a * b))]);
}
