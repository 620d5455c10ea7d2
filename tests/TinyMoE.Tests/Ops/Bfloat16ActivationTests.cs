using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

/// <summary>
/// The ops on activations in bfloat16, 16 bits of memory: each family's own cases on inputs that bfloat16 has, so that beside the reference
/// in double only results, gradients and what is saved between are rounded. Sums and statistics are float32.
/// </summary>
public sealed class Bfloat16ActivationTests : OpTests<Bfloat16ActivationTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        .. Few(Without("1x1", NormTests.Cases), 14).Select(c => c with { Tolerance = 1.0 / 80 }), // sums of results
        .. Few(RopeTests.Cases, 9), .. Few(AttentionTests.Cases, 9), .. Few(DispatchTests.Cases, 8),
        // a wide range of few numbers has the limit itself, where the gradient steps
        .. Without("within 30", FeedForwardTests.Cases).Select(c => c.InBfloat16()),
        .. Few(ElementwiseTests.Cases, 12), .. Few(TransferTests.Cases, 9), .. Few(SoftmaxTests.Cases, 6), .. Few(ReduceTests.Cases, 6),
        .. RandomTests.Cases.Select(c => c.InBfloat16(_ => true)),
        .. Few(MatMulTests.Cases.Where(IsProduct), 8),
        .. MatMulTests.Cases.Where(c => !IsProduct(c)).SelectMany(Maps), .. Few(GroupedTests.Cases.Where(c => !IsMap(c)), 3),
        .. GroupedTests.Cases.Where(IsMap).SelectMany(Maps).DistinctBy(c => c.Name),
        Embedding(37, 9, 13), Embedding(5, 30, 17), Logits(5, 37, 19, isNarrow: true), Logits(40, 9, 11, isNarrow: false),
        .. new[] { 1, 37, 260 }.SelectMany(n => new[]
        {
            new OpCase($"ToBfloat16 {n}", [n], x => x[0].ToBfloat16(), x => Array.ConvertAll(x[0], Bfloat16Tests.Round),
                Smooth: x => x[0]),
            new OpCase($"ToFloat32 {n}", [n], x => x[0].ToFloat32(), x => x[0]).InBfloat16(_ => true) with
            {
                Tolerance = 1e-7,
                GradientTolerance = 1.0 / 200,
            },
        }),
    ];

    [Fact]
    public void ValuesOfTheOtherType_Throw()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(3, [1, 2, 3]), narrow = x.ToBfloat16();
        Assert.Same(narrow, narrow.ToBfloat16());
        Assert.Same(x, x.ToFloat32());
        Assert.Equal((ElementType.Float32, ElementType.Bfloat16, 6L), (x.Type, narrow.Type, narrow.Values.Bytes));
        Assert.Contains("Bfloat16", Assert.Throws<InvalidOperationException>(() => narrow.Data).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => x.Values.Bfloat16);
        Assert.Throws<ArgumentOutOfRangeException>(() => narrow.Values.Slice(2, 2));
        Assert.Equal(narrow.Values.Address + 2, narrow.Values.Slice(1, 2).Address);
        Assert.Throws<ArgumentException>(() => Values.At(16, 1, ElementType.Float16));
    }

    [Fact]
    public void Add_OfATensorToItself_GivesBothGradients()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(3, [1, 2, 3]), narrow = x.ToBfloat16(), y = narrow.Add(narrow);
        Assert.Equal([2f, 4f, 6f], y.ToArray());
        tape.Backward(y, [1, 3, -5]);
        Assert.Equal([2f, 6f, -10f], backend.Read(x.Grad));
    }

    [Fact]
    public void Dropout_InBfloat16_KeepsWhatFloat32Keeps()
    {
        // the reference case of a family of random numbers: the same draws whatever the type
        OpCase wide = RandomTests.Cases.First(c => c.Name.StartsWith("Dropout 1500", StringComparison.Ordinal));
        using CpuBackend backend = new(2);
        float[] narrow = OpRun.Of(wide.InBfloat16(_ => true), backend).Output;
        Assert.Equal(OpRun.Of(wide, backend).Output.Select(v => v == 0f), narrow.Select(v => v == 0f));
    }

    /// <summary>Of a family's cases so many, from all over it.</summary>
    private static IEnumerable<OpCase> Few(IEnumerable<OpCase> cases, int count)
    {
        OpCase[] all = [.. Without("in place", cases)]; // an activation is: these are all cases in place
        return Enumerable.Range(0, Math.Min(count, all.Length)).Select(i => all[i * all.Length / Math.Min(count, all.Length)]).Select(
            c => c.InBfloat16(Array.TrueForAll(c.Inputs, input => input.Shape.Rank < 2) ? _ => true : null));
    }

    private static IEnumerable<OpCase> Without(string part, IEnumerable<OpCase> cases) =>
        cases.Where(c => !c.Name.Contains(part, StringComparison.Ordinal));

    private static bool IsProduct(OpCase c) => c.Name.StartsWith("MatMul", StringComparison.Ordinal);

    private static bool IsMap(OpCase c) => c.Name.StartsWith("GroupedLinear", StringComparison.Ordinal);

    /// <summary>A linear map of x (input 0) with w (1), a bias (2) and a gate (3); w with values in bfloat16, or not.</summary>
    private static IEnumerable<OpCase> Maps(OpCase c) =>
    [
        c.InBfloat16(i => i is 0 or 3, i => i == 1),
        .. c.Inputs.Length > 3
            ? [c.InBfloat16(i => i is 0 or 3) with { Name = $"{c.Name}, in bfloat16 but for w" }]
            : Array.Empty<OpCase>(),
    ];

    private static OpCase Embedding(int N, int V, int C)
    {
        int[] ids = [.. Enumerable.Range(0, N).Select(n => n * n % V)];
        return new OpCase(
            $"Embedding {N} of {V}x{C}", [(V, C)], x => x[0].Tape.Embedding(x[0], x[0].Tape.Ints(ids), ElementType.Bfloat16),
            x => [.. ids.SelectMany(id => x[0].Skip(id * C).Take(C))]).InBfloat16(_ => false, _ => true);
    }

    /// <summary>A product whose result stays in float32: of a head, with w in bfloat16, or of a router, with w in float32 alone.</summary>
    private static OpCase Logits(int N, int inputs, int outputs, bool isNarrow) => new OpCase(
        $"LinearToFloat32 {N}x{inputs} to {outputs}", [(N, inputs), (outputs, inputs), outputs],
        x => x[0].LinearToFloat32(x[1], x[2]),
        x => [.. MatMulTests.Product(x[0], x[1], 1, N, outputs, inputs, false, true).Select((v, i) => v + x[2][i % outputs])])
        .InBfloat16(i => i == 0, i => i == 1 && isNarrow) with
    { Tolerance = 2e-5, GradientTolerance = 1.0 / 40 };
}
