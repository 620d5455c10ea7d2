using System.Text.Json;
using TinyMoE.Backends.Cpu;
using TinyMoE.Moe;
using TinyMoE.Moe.Losses;
using TinyMoE.Ops;
using TinyMoE.Tensors;
using TinyMoE.Tests.Golden;

namespace TinyMoE.Tests.Moe;

/// <summary>
/// Four tokens, four experts: every gate and loss, and the losses' gradients, against numbers evaluated in double precision.
/// </summary>
public sealed class RouterGoldenTests : IDisposable
{
    private const float Tolerance = 1e-5f;

    private readonly JsonElement golden = JsonDocument.Parse(GoldenFile.Text("routers.json")).RootElement;
    private readonly CpuBackend backend = new(1);
    private readonly Tape tape;
    private readonly Tensor clean;
    private readonly Tensor raw;

    public RouterGoldenTests()
    {
        tape = backend.NewTape();
        clean = tape.Variable((4, 4), Numbers(golden.GetProperty("clean")));
        raw = tape.Variable((4, 4), Numbers(golden.GetProperty("raw")));
    }

    [Fact]
    public void TopKGates_AgreeWithGolden()
    {
        Ints choices = clean.TopK(2);
        Assert.Equal(Numbers(golden.GetProperty("chosen")), backend.Read(choices).Select(c => (float)c));
        AssertClose(golden.GetProperty("gates_renormalized"), clean.SelectColumns(choices, 2).Softmax().ToArray());
        AssertClose(golden.GetProperty("gates_plain"), clean.Softmax().SelectColumns(choices, 2).ToArray());
    }

    [Fact]
    public void NoisyGatesAndImportance_AgreeWithGolden()
    {
        (Tensor noisy, _, Ints choices, Assignment assignment) = RouteNoisily();
        JsonElement expected = golden.GetProperty("noisy");
        AssertClose(expected.GetProperty("logits"), noisy.ToArray());
        AssertClose(expected.GetProperty("gates"), noisy.SelectColumns(choices, 2).Softmax().ScatterColumns(choices, 4).ToArray());
        AssertClose(expected.GetProperty("importance"), assignment.Importance().ToArray());

        Tensor loss = ImportanceLoss.Of(assignment.Importance());
        AssertLossAndGradients("importance", loss, "importance", withRaw: true);
    }

    [Fact]
    public void Load_AgreesWithGolden()
    {
        (Tensor noisy, Tensor sigma, _, _) = RouteNoisily();
        Tensor load = LoadLoss.SmoothLoad(clean, noisy, sigma, 2);
        AssertClose(golden.GetProperty("noisy").GetProperty("load"), load.ToArray());
        AssertLossAndGradients("load", LoadLoss.Of(load), "load", withRaw: true);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void SwitchLoss_AgreesWithGolden(int K) =>
        AssertLossAndGradients($"balance_top{K}", SwitchLoss.Of(clean.Softmax(), clean.TopK(K), K, K), $"balance_top{K}", withRaw: false);

    [Fact]
    public void ZLoss_AgreesWithGolden()
    {
        AssertClose(golden.GetProperty("log_sum_exp"), clean.LogSumExp().ToArray());
        AssertLossAndGradients("z", ZLoss.Of(clean), "z", withRaw: false);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void SwitchLoss_UniformRouter_IsOne(int K)
    {
        // Four tokens with the same probabilities everywhere; each expert is chosen K times.
        Tensor uniform = tape.Variable((4, 4), new float[16]);
        Ints choices = tape.Ints([.. Enumerable.Range(0, 4 * K).Select(i => (i / K + i % K) % 4)]);
        Assert.Equal(1f, SwitchLoss.Of(uniform.Softmax(), choices, K, K).Item(), 1e-6f);
    }

    [Fact]
    public void SquaredVariation_AllEqual_IsZeroWithFiniteGradient()
    {
        Tensor equal = tape.Variable(5, [3, 3, 3, 3, 3]);
        Tensor loss = ImportanceLoss.Of(equal);
        Assert.Equal(0f, loss.Item());
        tape.Backward(loss);
        Assert.All(backend.Read(equal.Grad), g => Assert.Equal(0f, g));
    }

    public void Dispose()
    {
        tape.Dispose();
        backend.Dispose();
    }

    private static float[] Numbers(JsonElement element) => element.ValueKind == JsonValueKind.Array
        ? [.. element.EnumerateArray().SelectMany(Numbers)]
        : [element.GetSingle()];

    private static void AssertClose(JsonElement expected, float[] actual)
    {
        float[] numbers = Numbers(expected);
        Assert.Equal(numbers.Length, actual.Length);
        for (int i = 0; i < numbers.Length; i++)
            Assert.Equal(numbers[i], actual[i], Tolerance);
    }

    private (Tensor Noisy, Tensor Sigma, Ints Choices, Assignment Assignment) RouteNoisily()
    {
        Tensor sigma = raw.Softplus().Shift(golden.GetProperty("noise_epsilon").GetSingle());
        Tensor noisy = clean.Add(sigma.Multiply(tape.Constant((4, 4), Numbers(golden.GetProperty("draws")))));
        Ints choices = noisy.TopK(2);
        return (noisy, sigma, choices, Assignment.FromChoices(choices, noisy.SelectColumns(choices, 2).Softmax(), 4));
    }

    private void AssertLossAndGradients(string name, Tensor loss, string gradient, bool withRaw)
    {
        AssertClose(golden.GetProperty("loss").GetProperty(name), loss.ToArray());
        tape.Backward(loss);
        JsonElement expected = golden.GetProperty("gradient").GetProperty(gradient);
        AssertClose(expected.GetProperty("clean"), backend.Read(clean.Grad));
        if (withRaw)
            AssertClose(expected.GetProperty("raw"), backend.Read(raw.Grad));
    }
}
