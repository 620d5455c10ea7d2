using TinyMoE.Backends;
using TinyMoE.Cuda;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Tests.Cuda;

/// <summary>Attention on tensor cores beside float64, whose operands are what is in memory: what is
/// rounded on the way makes the tolerances. The same bits under every check of the emulator.</summary>
[Collection(CudaCollection.Name)]
public sealed class TensorAttentionTests
{
    /// <summary>Of the norm of each output. TF32 rounds every operand to 11 bits, bfloat16 the weights, their slopes and the outputs to 8,
    /// and the gradients take the rounded outputs for exact.</summary>
    private const double Tf32Tolerance = 1e-3, Bfloat16Tolerance = 8e-3;

    /// <summary>Of one element: so many tolerances of its own size and of the usual one.</summary>
    private const double OfAnElement = 10;

    private static readonly (AttentionSizes Sizes, float Rate)[] Cases =
    [
        (new AttentionSizes(2, 19, 19, 4, 2, 32), 0),                           // less than a tile
        (new AttentionSizes(1, 150, 150, 2, 1, 64), 0),                         // several tiles, none of them whole at the end
        (new AttentionSizes(1, 128, 128, 1, 1, 64), 0),                         // whole tiles
        (new AttentionSizes(1, 150, 150, 1, 1, 32, Window: 40), 0),             // tiles left out on both sides
        (new AttentionSizes(1, 100, 100, 1, 1, 40, Window: 2), 0),              // little is seen
        (new AttentionSizes(1, 5, 77, 2, 1, 40), 0),                            // queries after a cache
        (new AttentionSizes(1, 33, 90, 3, 1, 56, Window: 17), 0.3f),            // 3 query heads per key head, numbers not in fours
        (new AttentionSizes(2, 70, 70, 2, 2, 64), 0.2f),
        (new AttentionSizes(1, 1, 21, 2, 1, 32), 0.3f),                         // one query
        (new AttentionSizes(1, 66, 66, 2, 1, 80), 0),                           // a part of the columns of the larger tiles
        (new AttentionSizes(1, 75, 75, 1, 1, 128, Window: 20), 0.1f),
        (new AttentionSizes(1, 40, 57, 2, 1, 40) { ValueSize = 104 }, 0),       // values of their own size, on either side
        (new AttentionSizes(1, 70, 70, 2, 1, 192) { ValueSize = 128 }, 0),      // latent attention's
        (new AttentionSizes(1, 37, 37, 1, 1, 256), 0.2f),
        (new AttentionSizes(1, 35, 50, 2, 1, 136) { ValueSize = 200 }, 0),
    ];

    private static CudaBackend? tf32;

    public static TheoryData<int, bool> Kernels =>
        [.. Enumerable.Range(0, Cases.Length).SelectMany(i => new (int, bool)[] { (i, false), (i, true) })];

    [CudaTheory]
    [MemberData(nameof(Kernels))]
    public void ForwardAndBackward_AgreeWithFloat64(int index, bool inBfloat16)
    {
        TensorAttention attention = Of(index, inBfloat16);
        foreach (bool adds in (bool[])[false, true])
            RequireNear(attention, attention.Run(Backend(""), adds), adds, inBfloat16 ? Bfloat16Tolerance : Tf32Tolerance);
        TestDevice.RequireNoFinding();
    }

    [EmulatedTheory]
    [MemberData(nameof(Kernels))]
    public void UnderEachCheck_GivesTheSameBits_AndHasNoFinding(int index, bool inBfloat16)
    {
        TensorAttention attention = Of(index, inBfloat16);
        float[][] expected = attention.Run(Backend(""), adds: true);
        foreach (string settings in Emulator.EachCheck)
        {
            Assert.Equal(expected, attention.Run(Backend(settings), adds: true));
            TestDevice.RequireNoFinding();
        }
    }

    private static TensorAttention Of(int index, bool inBfloat16)
    {
        (AttentionSizes sizes, float rate) = Cases[index];
        return new TensorAttention(
            sizes, new Dropout(rate, new RandomKey(7, RandomPurpose.AttentionDropout, Step: 2, Layer: 1, Part: 1)), inBfloat16);
    }

    private static void RequireNear(TensorAttention attention, float[][] actual, bool adds, double tolerance)
    {
        AttentionReference exact = attention.Exact();
        float[]?[] starts = [null, null, .. adds ? attention.Starts(adds) : [null, null, null]];
        double[][] expected = [exact.Y, exact.LogSumExp, exact.Dq, exact.Dk, exact.Dv];
        for (int i = 0; i < expected.Length; i++)
        {
            (double ofNorm, double ofElement) = Errors(expected[i], actual[i], starts[i]);
            string name = new[] { "y", "logSumExp", "dq", "dk", "dv" }[i];
            Assert.True(
                ofNorm <= tolerance && ofElement <= OfAnElement * tolerance,
                $"{name} of {attention}: error {ofNorm:G3} of its norm, {ofElement:G3} of an element");
        }
    }

    /// <summary>Of the norm; and the largest of an element, beside its own size and the usual one.</summary>
    private static (double OfNorm, double OfElement) Errors(double[] expected, float[] actual, float[]? start)
    {
        double errors = 0, worst = 0, squares = expected.Sum(value => value * value), usual = Math.Sqrt(squares / expected.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            double value = expected[i] + (start is null ? 0 : start[i]), error = actual[i] - value;
            errors += error * error;
            worst = Math.Max(worst, double.IsNaN(error) ? double.PositiveInfinity : Math.Abs(error) / (usual + Math.Abs(value)));
        }

        return (Math.Sqrt(errors / squares), worst);
    }

    private static CudaBackend Backend(string settings)
    {
        if (tf32 is null)
            return tf32 = TestDevice.NewBackend(settings, new CudaOptions { TensorCores = TensorCores.Tf32 });
        if (TestDevice.IsEmulated)
            Emulator.Configure(settings);
        return tf32;
    }
}
