using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Families;
using TinyMoE.Files;
using TinyMoE.Generate;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Tensors;
using TinyMoE.Tests.Files;
using Decoder = TinyMoE.Models.Decoder;

namespace TinyMoE.Tests.Families;

/// <summary>Models whose weights stay in a file.</summary>
[Collection(AloneCollection.Name)]
public sealed class MappedModelTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void Float32_InAFile_ComputesWhatTheModelDoes(bool map, bool misplaced)
    {
        using CpuBackend backend = new(2);
        using Decoder model = new(backend, TestModels.Tiny);
        string path = folder["model.safetensors"];
        Write(path, TestModels.Tiny, SafetensorsType.Float32, (p, values) => Read(model, p, values), misplaced ? 1 : 0);

        using SafetensorsWeights weights = SafetensorsWeights.Open(path, TensorNames.Of(TestModels.Tiny.Model), map);
        using Decoder mapped = new(backend, TestModels.Tiny, training: false, weights: weights);
        weights.RequireAllUsed();
        Assert.All(mapped.Parameters.All, p => Assert.Equal((map && !misplaced, ElementType.Float32), (p.IsMapped, p.Precision)));
        int[] ids = TestModels.Ids(16, TestModels.Tiny.Model.Vocabulary);
        Assert.Equal(TestModels.Logits(backend, model, ids, B: 1), TestModels.Logits(backend, mapped, ids, B: 1));
    }

    [Theory]
    [InlineData(true, "plain")]
    [InlineData(false, "plain")]
    [InlineData(true, "latent")]
    public void Bfloat16_InAFile_ComputesWhatItsValuesDoInFloat32(bool map, string name)
    {
        RunConfig config = TestModels.Named(name);
        using CpuBackend backend = new(2);
        using Decoder model = new(backend, config);
        string narrow = folder["narrow.safetensors"], wide = folder["wide.safetensors"];
        Write(narrow, config, SafetensorsType.Bfloat16, (p, values) => Read(model, p, values));
        Write(wide, config, SafetensorsType.Float32, (p, values) =>
        {
            Read(model, p, values);
            for (int i = 0; i < values.Length; i++)
                values[i] = Bfloat16.Widen(Bfloat16.Narrow(values[i]));
        });

        using SafetensorsWeights few = SafetensorsWeights.Open(narrow, TensorNames.Of(config.Model), map);
        using SafetensorsWeights many = SafetensorsWeights.Open(wide, TensorNames.Of(config.Model), map);
        using Decoder inBfloat16 = new(backend, config, training: false, weights: few);
        using Decoder inFloat32 = new(backend, config, training: false, weights: many);
        Assert.All(inBfloat16.Parameters.All, p => Assert.Equal(MayBeNarrow(p), p.Precision == ElementType.Bfloat16));
        int[] ids = TestModels.Ids(16, config.Model.Vocabulary);
        float[] expected = TestModels.Logits(backend, inFloat32, ids, B: 1), actual = TestModels.Logits(backend, inBfloat16, ids, B: 1);
        Assert.Equal(expected, actual);
        SamplingOptions greedy = new() { Temperature = 0 };
        int[] text = [.. new Generator(backend, inFloat32).Generate([1, 2], 20, greedy)];
        Assert.Equal(text, new Generator(backend, inBfloat16).Generate([1, 2], 20, greedy));
        inBfloat16.Dispose();                                    // and once more at the end: that is no error
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public void Float16_InAFile_ComputesWhatItsValuesDoInFloat32(bool map, bool apart)
    {
        using CpuBackend backend = new(2);
        using Decoder model = new(backend, TestModels.Tiny);
        string half = folder["half.safetensors"], wide = folder["wide.safetensors"];
        Write(half, TestModels.Tiny, SafetensorsType.Float16, (p, values) => Read(model, p, values), apart: apart);
        Write(wide, TestModels.Tiny, SafetensorsType.Float32, (p, values) =>
        {
            Read(model, p, values);
            for (int i = 0; i < values.Length; i++)
                values[i] = (float)(Half)values[i];
        });

        using SafetensorsWeights few = SafetensorsWeights.Open(half, TensorNames.Of(TestModels.Tiny.Model), map);
        using SafetensorsWeights many = SafetensorsWeights.Open(wide, TensorNames.Of(TestModels.Tiny.Model), map);
        using Decoder inFloat16 = new(backend, TestModels.Tiny, training: false, weights: few);
        using Decoder inFloat32 = new(backend, TestModels.Tiny, training: false, weights: many);
        Assert.All(inFloat16.Parameters.All, p => Assert.Equal(
            (map && MayBeNarrow(p), MayBeNarrow(p) ? ElementType.Float16 : ElementType.Float32), (p.IsMapped, p.Precision)));
        Assert.All(inFloat16.Parameters.All, p => Assert.Equal(map && apart && p.Part == ModelPart.Experts, p.Weights.LieApart));
        int[] ids = TestModels.Ids(16, TestModels.Tiny.Model.Vocabulary);
        Assert.Equal(TestModels.Logits(backend, inFloat32, ids, B: 1), TestModels.Logits(backend, inFloat16, ids, B: 1));
        foreach ((Parameter narrow, Parameter floats) in inFloat16.Parameters.All.Zip(inFloat32.Parameters.All))
        {
            float[] expected = new float[floats.Count - 1], actual = new float[floats.Count - 1];
            inFloat32.Parameters.Read(floats, 1, expected);      // across the matrices of a stack
            inFloat16.Parameters.Read(narrow, 1, actual);
            Assert.Equal(expected, actual);
        }
    }

    [Theory]
    [InlineData(SafetensorsType.Float32)]
    [InlineData(SafetensorsType.Bfloat16)]
    public void ExpertsEachForItself_InAFile_AreReadInPlace(SafetensorsType type)
    {
        using CpuBackend backend = new(2);
        using Decoder model = new(backend, TestModels.Tiny);
        int before = backend.Pool.LiveBuffers;
        string together = folder["together.safetensors"], apart = folder["apart.safetensors"];
        Write(together, TestModels.Tiny, type, (p, values) => Read(model, p, values));
        Write(apart, TestModels.Tiny, type, (p, values) => Read(model, p, values), apart: true);
        float[][] logits = [.. ((string[])[together, apart]).Select(path =>
        {
            using SafetensorsWeights weights = SafetensorsWeights.Open(path, TensorNames.Of(TestModels.Tiny.Model), map: true);
            long planned = Decoder.Plan(TestModels.Tiny).Sum(p => ParameterStore.FrozenBytes(p, weights, readsHostMemory: true));
            long copied = Decoder.Plan(TestModels.Tiny).Sum(p => ParameterStore.FrozenBytes(p, weights, readsHostMemory: false));
            using Decoder mapped = new(backend, TestModels.Tiny, training: false, weights: weights);
            Assert.Equal(mapped.Parameters.All.Where(p => !p.IsMapped).Sum(p => p.Precision.BytesOf(p.Count)), planned);
            Assert.Equal(mapped.Parameters.All.Sum(p => p.Precision.BytesOf(p.Count)), copied);
            weights.RequireAllUsed();
            Assert.Equal(path == apart, mapped.Parameters.All.Any(p => p.Weights.LieApart));
            Assert.True(mapped.Parameters.All.All(p => p.IsMapped || !MayBeNarrow(p)));
            int[] ids = TestModels.Ids(16, TestModels.Tiny.Model.Vocabulary);
            return TestModels.Logits(backend, mapped, ids, B: 1);
        })];
        Assert.Equal(logits[0], logits[1]);
        Assert.Equal(before, backend.Pool.LiveBuffers);          // the tables of addresses go too
    }

    [Fact]
    public void AValueThatIsNotFinite_InOneOfManyExperts_IsRefusedByName()
    {
        using CpuBackend backend = new(2);
        string path = folder["model.safetensors"];
        Write(path, TestModels.Tiny, SafetensorsType.Float16, (p, values) =>
        {
            values.Clear();
            if (p.Name.EndsWith("experts.down.weight", StringComparison.Ordinal))
                values[^1] = float.NaN;
        }, apart: true);
        using SafetensorsWeights weights = SafetensorsWeights.Open(path, TensorNames.Of(TestModels.Tiny.Model), map: true);
        string said = OneLine.Of(() => _ = new Decoder(backend, TestModels.Tiny, training: false, weights: weights));
        Assert.Contains("experts", said);
        Assert.Contains("not finite", said);
        Assert.Equal(0, backend.Pool.LiveBuffers);
    }

    [Fact]
    public void Bfloat16_FrozenInTraining_LetsTheOthersTrain()
    {
        RunConfig config = TestModels.Tiny;
        string path = folder["model.safetensors"];
        using CpuBackend backend = new(2);
        using Decoder model = new(backend, config);
        Write(path, config, SafetensorsType.Bfloat16, (p, values) => Read(model, p, values));
        using SafetensorsWeights weights = SafetensorsWeights.Open(path, TensorNames.Of(config.Model), map: true);
        using Decoder tuned = new(backend, config, frozen: name => !name.Contains("norm", StringComparison.Ordinal), weights: weights);
        Assert.Equal(tuned.Parameters.All.Where(MayBeNarrow), tuned.Parameters.All.Where(p => p.IsMapped));
        using Tape tape = backend.NewTape();
        View<int> ids = tape.Ints(TestModels.Ids(16, config.Model.Vocabulary));
        DecoderOutput output = tuned.Forward(tape, ids, 1, 16, new Pass(Training: true, Seed: 1, Step: 1));
        tape.Backward(Objective.Of(output, ids).Total);
        tuned.Parameters.RequireGradients();
        Assert.All(tuned.Parameters.All.Where(p => !p.IsFrozen), p => Assert.Contains(backend.Read(p.Grad), g => g != 0f));
    }

    [Fact]
    public void AFileOfAnotherModel_IsRefused_AndNothingStaysOut()
    {
        string path = folder["model.safetensors"];
        RunConfig dense = TestModels.Tiny with { Moe = new MoeConfig { Experts = 0 } };
        Write(path, dense, SafetensorsType.Float32, (_, values) => values.Clear());
        using CpuBackend backend = new(1);
        using SafetensorsWeights weights = SafetensorsWeights.Open(path, TensorNames.Of(TestModels.Tiny.Model), map: true);
        string refused = OneLine.Of(() => _ = new Decoder(backend, TestModels.Tiny, training: false, weights: weights));
        Assert.Contains("no tensor model.layers.0.block_sparse_moe.gate.weight", refused);
        Assert.Equal(0, backend.Pool.LiveBuffers);
        Assert.Contains("does not have", OneLine.Of(weights.RequireAllUsed));
    }

    /// <summary>
    /// The file is one hole and takes no room on the disk; what is read of it is the system's to keep or drop, and no memory of the
    /// program.
    /// </summary>
    [Fact]
    [Trait("Category", "Large")]
    public void TwoAndAHalfBillionWeights_GenerateFromTheirFile_WithLittleMemory()
    {
        if (!OperatingSystem.IsLinux())
            return; // anonymous memory is read from /proc
        RunConfig config = new()
        {
            Model = new ModelConfig { Width = 4096, Layers = 2, Context = 64, Vocabulary = 12000 },
            Attention = new AttentionConfig { Heads = 32, KvHeads = 8 },
            Moe = new MoeConfig { Experts = 8, Active = 2, Hidden = 12288 },
        };
        string path = folder["large.safetensors"];
        Write(path, config, SafetensorsType.Bfloat16, values: null);
        Assert.InRange(Decoder.Plan(config).Sum(p => (long)p.Count), 2_500_000_000, 2_700_000_000);

        long before = AnonymousBytes(), most = 0;
        using CpuBackend backend = new(2);
        using SafetensorsWeights weights = SafetensorsWeights.Open(path, TensorNames.Of(config.Model), map: true);
        using Decoder model = new(backend, config, training: false, weights: weights);
        weights.RequireAllUsed();
        List<int> text = [];
        foreach (int id in new Generator(backend, model).Generate([7], 3, new SamplingOptions { Temperature = 0 }))
        {
            text.Add(id);
            most = Math.Max(most, AnonymousBytes());
        }

        Assert.Equal(3, text.Count);
        Assert.True(most - before < 300L << 20, $"{(most - before) >> 20} MiB beyond the mapping");
    }

    private static long AnonymousBytes()
    {
        string line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
        string kibibytes = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1];
        return 1024 * long.Parse(kibibytes, CultureInfo.InvariantCulture);
    }

    private static bool MayBeNarrow(Parameter parameter) => parameter.Decays && parameter.Part != ModelPart.Router;

    /// <summary>The values that a model has for a parameter of a plan.</summary>
    private static void Read(Decoder model, Parameter planned, Span<float> values) =>
        model.Parameters.Read(model.Parameters.All.Single(p => p.Name == planned.Name), 0, values);

    private delegate void Values(Parameter parameter, Span<float> values);

    /// <summary>
    /// A file of the model's tensors, each stack of experts together, or <paramref name="apart"/>, by the names; without values one hole. A
    /// header that is <paramref name="shift"/> bytes longer misplaces them.
    /// </summary>
    private static void Write(string path, RunConfig config, SafetensorsType type, Values? values, int shift = 0, bool apart = false)
    {
        TensorNames names = TensorNames.Of(config.Model);
        IReadOnlyList<Parameter> plan = Decoder.Plan(config);
        int size = type == SafetensorsType.Float32 ? sizeof(float) : sizeof(ushort);
        Dictionary<string, object> header = [];
        long end = 0;
        IEnumerable<(Parameter Parameter, FileTensor Tensor)> tensors = plan.SelectMany(p => names.Of(p).Select(tensor => (p, tensor)));
        if (apart)
            tensors = tensors.OrderBy(part => part.Tensor.Name, StringComparer.Ordinal);
        foreach ((_, FileTensor tensor) in tensors)
        {
            long begin = end;
            end += (long)tensor.Shape.Count * size;
            string dtype = type switch { SafetensorsType.Bfloat16 => "BF16", SafetensorsType.Float16 => "F16", _ => "F32" };
            header.Add(tensor.Name, new { dtype, shape = tensor.Shape.ToArray(), data_offsets = new[] { begin, end } });
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header), length = new byte[8];
        json = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(json).PadRight((json.Length + 63) / 64 * 64 + shift));
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        using FileStream file = File.Create(path);
        file.Write(length);
        file.Write(json);
        file.SetLength(file.Position + end);
        foreach ((Parameter parameter, FileTensor tensor) in values is null ? [] : tensors)
        {
            float[] wide = new float[parameter.Count];
            values!(parameter, wide);
            using BinaryWriter writer = new(file, Encoding.UTF8, leaveOpen: true);
            foreach (float value in wide.AsSpan(tensor.Start, tensor.Shape.Count))
            {
                if (type == SafetensorsType.Bfloat16)
                    writer.Write(Bfloat16.Narrow(value));
                else if (type == SafetensorsType.Float16)
                    writer.Write((Half)value);
                else
                    writer.Write(value);
            }
        }
    }
}
