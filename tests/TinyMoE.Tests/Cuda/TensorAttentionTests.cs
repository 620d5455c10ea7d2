using TinyMoE.Backends;
using TinyMoE.Backends.Cases;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Data;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;
using TinyMoE.Tests.Files;
using TinyMoE.Train;
using Floats = TinyMoE.Memory.View<float>;

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
        (new AttentionSizes(2, 19, 19, 4, 2, 32) { Stride = 256 }, 0),          // columns of one matrix
        (new AttentionSizes(1, 150, 150, 2, 1, 64, Window: 40) { Stride = 264 }, 0.2f), // and others behind them
        (new AttentionSizes(1, 40, 40, 2, 1, 128) { Stride = 512 }, 0),
        (new AttentionSizes(1, 37, 37, 1, 1, 256) { Stride = 768 }, 0),
        (new AttentionSizes(1, 40, 40, 2, 1, 48) { Stride = 196 }, 0),          // rows that are not aligned: float32, or copied
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

    /// <summary>Gradients that the kernels turn back as they store them, beside those that they do not.</summary>
    [CudaTheory]
    [InlineData(32, 32, false, false)]
    [InlineData(64, 64, false, true)]
    [InlineData(64, 64, true, false)]
    [InlineData(64, 34, false, false)]
    [InlineData(72, 34, true, true)]
    [InlineData(128, 128, false, true)]
    [InlineData(128, 96, false, false)]
    [InlineData(256, 128, false, true)]
    [InlineData(192, 64, true, false)]
    [InlineData(192, 192, false, true)] // halves of a pair in two blocks: a pass of its own
    public void Backward_OfWhatWasTurned_IsTurnedBack(int D, int turned, bool interleaved, bool inBfloat16)
    {
        AttentionSizes sizes = new(2, 75, 75, 2, 1, D) { Stride = 4 * D + 8 };
        TensorAttention plain = new(sizes, Dropout.None, inBfloat16);
        TensorAttention rotary = new(sizes, Dropout.None, inBfloat16) { Turned = turned, Interleaved = interleaved };
        float[][] expected = plain.Run(Backend(""), adds: false);
        float[][] actual = rotary.Run(Backend(TestDevice.IsEmulated ? Emulator.AllChecks : ""), adds: false);
        TestDevice.RequireNoFinding();
        Assert.Equal([expected[0], expected[1], expected[4]], [actual[0], actual[1], actual[4]]);
        for (int i = 2; i < 4; i++)
        {
            (double ofNorm, _) = Errors(rotary.TurnedBack(expected[i], heads: i == 2 ? 2 : 1), actual[i], null);
            Assert.InRange(ofNorm, 0, inBfloat16 ? 4e-3 : 1e-6);
        }
    }

    [EmulatedTheory]
    [InlineData(TensorCores.Off, 64, false)]
    [InlineData(TensorCores.Tf32, 64, true)]
    [InlineData(TensorCores.Bfloat16, 64, true)]
    [InlineData(TensorCores.Tf32, 24, false)]  // too small a head
    [InlineData(TensorCores.Tf32, 36, false)]  // not in eights
    [InlineData(TensorCores.Tf32, 264, false)] // too large a one
    public void Attention_IsOnTensorCores_WhereTheyAreWantedAndFit(TensorCores wanted, int D, bool expected)
    {
        using CudaBackend cuda = TestDevice.NewBackend("count", new CudaOptions { TensorCores = wanted });
        TensorAttention attention = new(new AttentionSizes(1, 9, 9, 2, 1, D), Dropout.None, inBfloat16: false);
        _ = Emulator.TakeCounters();
        float[][] actual = attention.Run(cuda, adds: false);
        Assert.Equal(expected, Emulator.TakeCounters().Contains("_tf32_", StringComparison.Ordinal));
        RequireNear(attention, actual, adds: false, expected ? Tf32Tolerance : 1e-5);
    }

    [EmulatedFact]
    public void Backend_OfACardWithoutThem_LoadsNoKernelsForThem()
    {
        using CudaBackend cuda = TestDevice.NewBackend("capability=7.5");
        Assert.False(cuda.HaveTensorCores(new AttentionSizes(1, 9, 9, 2, 1, 64)));
    }

    [CudaTheory]
    [InlineData(4)]
    [InlineData(8)]
    public void Attention_OfViewsThatAreNotAligned_IsFloat32(int bytes)
    {
        AttentionSizes sizes = new(1, 9, 9, 2, 1, 64);
        CudaBackend cuda = Backend("");
        using KernelData d = new(cuda);
        (Floats q, Floats k, Floats v) = (d.In(9 * 2 * 64), d.In(9 * 64), d.In(9 * 64 + 2).Slice(bytes / 4, 9 * 64));
        (Floats y, Floats logSumExp) = (d.Rent<float>(q.Length), d.Rent<float>(9 * 2));
        cuda.AttentionForward(q, k, v, sizes, Dropout.None, y, logSumExp);
        TestDevice.RequireNoFinding();
        AttentionReference exact = new(sizes, Dropout.None, cuda.Read(q), cuda.Read(k), cuda.Read(v), new float[q.Length]);
        (double ofNorm, _) = Errors(exact.Y, cuda.Read(y), null);
        Assert.InRange(ofNorm, 0, 1e-6);
    }

    [CudaTheory]
    [InlineData(64)]
    [InlineData(200)] // blocks for parts of the columns
    public void Backward_OfSomeGradients_GivesTheBitsOfAll(int D)
    {
        AttentionSizes sizes = new(1, 40, 50, 2, 1, D, Window: 30);
        CudaBackend cuda = Backend(TestDevice.IsEmulated ? Emulator.AllChecks : "");
        using KernelData d = new(cuda);
        (int queries, int keys) = (40 * 2 * D, 50 * D);
        (Floats q, Floats k, Floats v, Floats dy) = (d.In(queries), d.In(keys), d.In(keys), d.In(queries));
        (Floats y, Floats logSumExp) = (d.Rent<float>(queries), d.Rent<float>(40 * 2));
        cuda.AttentionForward(q, k, v, sizes, Dropout.None, y, logSumExp);
        Floats[] all = Gradients(dq: true, dk: true, dv: true);
        Assert.Equal(cuda.Read(all[0]), cuda.Read(Gradients(dq: true, dk: false, dv: false)[0]));
        Assert.Equal(cuda.Read(all[1]), cuda.Read(Gradients(dq: false, dk: true, dv: false)[1]));
        Assert.Equal(cuda.Read(all[2]), cuda.Read(Gradients(dq: false, dk: false, dv: true)[2]));
        TestDevice.RequireNoFinding();

        Floats[] Gradients(bool dq, bool dk, bool dv)
        {
            Floats[] gradients = [d.Rent<float>(queries), d.Rent<float>(keys), d.Rent<float>(keys)];
            Target Of(bool wanted, int i) => wanted ? gradients[i] : default;
            cuda.AttentionBackward(dy, q, k, v, y, logSumExp, sizes, Dropout.None, Of(dq, 0), Of(dk, 1), Of(dv, 2));
            return gradients;
        }
    }

    [CudaFact]
    public void Training_WithTf32_FollowsTheLossesOfTheCpu()
    {
        RunConfig config = TrainingTests.Small(TestModels.Named("mixtral-tiny"));
        config = config with { Model = config.Model with { Width = 128, Context = 80 } }; // heads of 32
        using CpuBackend cpu = new(2);
        using CudaBackend cuda = TestDevice.NewBackend("", new CudaOptions { TensorCores = TensorCores.Tf32 });
        foreach ((StepReport expected, StepReport actual) in Steps(cpu).Zip(Steps(cuda)))
            Assert.All(expected.Losses, loss => Assert.Equal(loss.Value, actual.Losses[loss.Key], 2e-3f));

        List<StepReport> Steps(Backend backend)
        {
            using TemporaryFolder folder = new();
            Corpus corpus = TestModels.Corpus();
            RecordingListener listener = new();
            using Trainer trainer = new(backend, config.For(corpus), corpus, new RunFolder(folder["run"]), listener);
            trainer.Run(stopAt: 3);
            return listener.Steps;
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
        float[]?[] starts = adds ? [null, null, .. attention.Starts(adds)] : new float[]?[5];
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
        double[] values = start is null ? expected : [.. expected.Zip(start, (value, first) => value + first)];
        double squares = values.Sum(value => value * value), usual = Math.Sqrt(squares / values.Length), errors = 0, worst = 0;
        for (int i = 0; i < values.Length; i++)
        {
            double error = Math.Abs(actual[i] - values[i]);
            errors += error * error;
            worst = Math.Max(worst, double.IsNaN(error) ? double.PositiveInfinity : error / (usual + Math.Abs(values[i])));
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
