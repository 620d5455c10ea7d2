using TinyMoE.Backends;
using TinyMoE.Backends.Cases;
using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Data;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Moe;
using TinyMoE.Train;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Cuda;

/// <summary>Products of experts that read each row where its token is, beside those of rows that were moved: the same bits.</summary>
[Collection(CudaCollection.Name)]
public sealed class GatheredProductsTests
{
    private static readonly Dictionary<TensorCores, CudaBackend> Backends = [];

    private static readonly CudaOptions Own = new() { Grouped = GroupedProducts.Own };

    public static TheoryData<string> Routers => [.. RouterModels.All];

    [CudaTheory]
    [MemberData(nameof(Routers))]
    public void Step_OfEveryRouter_HasTheBitsOfMovedRows(string router) => AssertSameBits(RouterModels.Of(router), TensorCores.Off);

    [CudaTheory]
    [MemberData(nameof(Routers))]
    public void Step_OfEveryRouterWithAllNoiseAndDropping_HasTheBitsOfMovedRows(string router) =>
        AssertSameBits(RouterModels.Of(router).WithEverythingOfTraining(), TensorCores.Off);

    [CudaTheory]
    [InlineData("mixtral-tiny")]
    [InlineData("switch-tiny")]
    [InlineData("switch-head")]
    [InlineData("gpt-oss")]
    [InlineData("bfloat16")]
    public void Step_InEveryPrecision_HasTheBitsOfMovedRows(string name)
    {
        RunConfig config = TrainingTests.Small(TestModels.Named(name));
        foreach (TensorCores kind in Enum.GetValues<TensorCores>())
            AssertSameBits(config, kind);
        AssertSameBits(config.InBfloat16(), TensorCores.Off);
    }

    /// <summary>A row of no token is zeros, wherever it is, and counts in no gradient; a token that x does not have is found.</summary>
    [EmulatedFact]
    public void Tokens_ThatAreNone_GiveZeros_AndWrongOnesAreFound()
    {
        using CudaBackend cuda = TestDevice.NewBackend("", Own);
        (float[] y, float[] dw) = Products(cuda, token: 3);
        Assert.DoesNotContain(y[..20], value => value == 0);
        (float[] without, float[] dwWithout) = Products(cuda, token: -1);
        Assert.All(without[8..12], value => Assert.Equal(0f, value));
        Assert.Equal([.. y[..8], .. y[12..]], (float[])[.. without[..8], .. without[12..]]);
        Assert.NotEqual(dw, dwWithout);
        Assert.All(without[20..], value => Assert.Equal(0f, value)); // the unassigned row
        TestDevice.RequireNoFinding();

        Assert.ThrowsAny<TinyMoEException>(() => Products(cuda, token: 100_000_000));
        Assert.Contains("grouped_forward_64", Emulator.TakeFindings(), StringComparison.Ordinal);
    }

    /// <summary>y (6, 4) and dw (1, 4, 8) of five rows of one expert and an unassigned one; the third is of this token.</summary>
    private static (float[] Y, float[] Dw) Products(CudaBackend cuda, int token)
    {
        const int N = 4, Rows = 6, C = 8, F = 4;
        KernelData data = new(cuda); // what is broken is not given back
        Ints tokens = data.In([0, 1, token, 2, 3, -1]), offsets = data.In([0, 5]);
        (Floats x, Floats y, Floats dw) = (data.In(N * C), data.Out(Rows * F), data.Out(F * C));
        cuda.GatheredMatMul(x, tokens, data.In(F * C), offsets, 1, Rows, N, C, F, y);
        cuda.GatheredMatMulBackwardWeight(data.In(Rows * F), x, tokens, offsets, 1, Rows, N, C, F, dw);
        (float[], float[]) results = (cuda.Read(y), cuda.Read(dw));
        data.Dispose();
        return results;
    }

    /// <summary>Small tiles and large ones, sizes that fit and that do not, sums in pieces, of both memories and on tensor cores.</summary>
    [CudaTheory]
    [InlineData(TensorCores.Off)]
    [InlineData(TensorCores.Tf32)]
    [InlineData(TensorCores.Bfloat16)]
    public void Products_OfRowsByToken_HaveTheBitsOfMovedRows(TensorCores kind)
    {
        AssertSameBits(kind, rows: "700 0 3 130", unassigned: 2, inputs: 36, outputs: 68);
        AssertSameBits(kind, rows: "9 0 30", unassigned: 70, inputs: 19, outputs: 21);
        AssertSameBits(kind, rows: "700 0 1100 248", unassigned: 0, inputs: 16, outputs: 2176);
        AssertSameBits(kind, rows: "9 0 0 1 14 3 0 2", unassigned: 3, inputs: 768, outputs: 768);
    }

    [EmulatedTheory]
    [InlineData(TensorCores.Off)]
    [InlineData(TensorCores.Tf32)]
    [InlineData(TensorCores.Bfloat16)]
    public void Products_OfRowsByToken_UnderEachCheck_HaveNoFinding(TensorCores kind)
    {
        foreach (string settings in Emulator.EachCheck)
        {
            AssertSameBits(kind, rows: "130 0 3 70", unassigned: 2, inputs: 40, outputs: 72, settings);
            AssertSameBits(kind, rows: "9 0 30", unassigned: 70, inputs: 19, outputs: 21, settings);
        }
    }

    private static void AssertSameBits(
        TensorCores kind, string rows, int unassigned, int inputs, int outputs, string settings = "")
    {
        int[] loads = [.. rows.Split(' ').Select(int.Parse)], offsets = [0, .. loads.Select((_, e) => loads.Take(e + 1).Sum())];
        int E = loads.Length, kept = offsets[^1], N = kept + unassigned, T = (N / 2) + 1;
        int[] tokens = [.. Enumerable.Range(0, N).Select(r => r < kept ? r * 7919 % T : -1)];
        CudaBackend cuda = Backend(kind);
        if (TestDevice.IsEmulated)
            Emulator.Configure(settings);
        foreach (bool adds in new[] { false, true })
        {
            Assert.Equal(Run(byToken: false, isNarrow: false), Run(byToken: true, isNarrow: false));
            if (kind == TensorCores.Bfloat16)
                Assert.Equal(Run(byToken: false, isNarrow: true), Run(byToken: true, isNarrow: true));

            float[] Run(bool byToken, bool isNarrow)
            {
                using KernelData data = new(cuda);
                Values x = isNarrow ? data.InNarrow(T * inputs) : data.In(T * inputs);
                Values dy = isNarrow ? data.InNarrow(N * outputs) : data.In(N * outputs);
                Weights w = isNarrow ? data.InNarrow(E * inputs * outputs).Bfloat16 : data.In(E * inputs * outputs);
                Target y = isNarrow ? data.OutNarrow(N * outputs, adds) : To(N * outputs), dw = To(E * inputs * outputs);
                Ints token = data.In(tokens), offset = data.In(offsets);
                if (byToken)
                {
                    cuda.GatheredMatMul(x, token, w, offset, E, N, T, inputs, outputs, y);
                    cuda.GatheredMatMulBackwardWeight(dy, x, token, offset, E, N, T, inputs, outputs, dw);
                }
                else
                {
                    Values moved = isNarrow ? data.InNarrow(N * inputs) : data.In(N * inputs);
                    cuda.Fill(moved, 0f);
                    for (int r = 0; r < kept; r++)
                        cuda.Convert(x.Slice(tokens[r] * inputs, inputs), inputs, moved.Slice(r * inputs, inputs));
                    cuda.GroupedMatMul(moved, w, offset, E, N, inputs, outputs, y);
                    cuda.GroupedMatMulBackwardWeight(dy, moved, offset, E, N, inputs, outputs, dw);
                }

                float[] bits = [.. cuda.ReadWide(y.Values), .. cuda.Read(dw.View)];
                TestDevice.RequireNoFinding();
                return bits;

                Target To(int n) => adds ? data.Added(n) : data.Out(n);
            }
        }
    }

    /// <summary>Without the rows there is less to keep, and the prediction knows.</summary>
    [CudaFact]
    public void PeakMemory_WithoutMovedRows_IsAsPredicted()
    {
        RunConfig config = TestModels.Tiny with
        {
            Model = TestModels.Tiny.Model with { Width = 128, Layers = 4, Context = 64 },
            Moe = TestModels.Tiny.Moe with { Hidden = 192 },
            Train = TestModels.Tiny.Train with { Batch = 8 },
        };
        foreach (RunConfig c in new[] { config, config.InBfloat16() })
        {
            MemoryReport moved = Memory(c, moves: true), unmoved = Memory(c, moves: false);
            Assert.InRange((double)moved.PeakPoolBytes / moved.PredictedBytes, 0.98, 1.02);
            Assert.InRange((double)unmoved.PeakPoolBytes / unmoved.PredictedBytes, 0.98, 1.02);
            Assert.InRange(unmoved.PeakPoolBytes, 1, moved.PeakPoolBytes - 1);
            Assert.InRange(unmoved.PredictedBytes, 1, moved.PredictedBytes - 1);
        }
    }

    private static MemoryReport Memory(RunConfig config, bool moves)
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        using CudaBackend cuda = TestDevice.NewBackend("", Own);
        cuda.MovesRows = moves;
        using Trainer trainer = new(cuda, config.For(corpus), corpus, new RunFolder(folder["a"]), new RecordingListener());
        return trainer.Run(stopAt: 1).Memory;
    }

    /// <summary>Of a training step every gradient, and the logits of inference.</summary>
    private static void AssertSameBits(RunConfig config, TensorCores kind)
    {
        if (config.Model.Vocabulary == 0)
            config = config.WithVocabulary(31);
        CudaBackend cuda = Backend(kind);
        int[] ids = TestModels.Ids(2 * config.Model.Context, config.Model.Vocabulary);
        float[][] bits = [.. new[] { true, false }.Select(moves =>
        {
            cuda.MovesRows = moves;
            using Decoder model = new(cuda, config);
            float[] gradients = RouterModels.Gradients(cuda, model, ids, B: 2, parts: 1);
            return (float[])[.. gradients, .. RouterModels.Logits(cuda, model, ids, B: 2)];
        })];
        Assert.Contains(bits[0], value => value != 0);
        Assert.Equal(bits[0], bits[1]);
        TestDevice.RequireNoFinding();
    }

    private static CudaBackend Backend(TensorCores kind) =>
        TestDevice.Kept(Backends, kind, () => TestDevice.NewBackend("", Own with { TensorCores = kind }));
}
