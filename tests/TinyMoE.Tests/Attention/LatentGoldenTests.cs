using TinyMoE.Configuration;
using TinyMoE.Families;
using TinyMoE.Files;
using TinyMoE.Layers;

namespace TinyMoE.Tests.Attention;

/// <summary>
/// The attention of layer 0 of two small DeepSeek-V3 models of tests/golden/families, between what Hugging Face's code gives before that
/// layer and after it; what stands beside the attention there is computed here, in double precision.
/// </summary>
public sealed class LatentGoldenTests
{
    private const int C = 40, Heads = 4;
    private const double ModelEpsilon = 1e-3, Tolerance = 1e-4; // of the largest expected value

    private static readonly AttentionConfig DeepSeek = new()
    {
        Kind = AttentionKind.Latent,
        Heads = Heads,
        HeadSize = 10 + 8,
        RopeSize = 8,
        RopeInterleaved = true,
        ValueSize = 14,
        LatentRank = 12,
        QueryRank = 18,
    };

    private static readonly AttentionConfig Yarn = DeepSeek with
    {
        QueryRank = 0,
        Biases = true,
        OutputBias = BiasChoice.True,
        Scale = (float)(Math.Pow(RotaryFrequencies.Magnitude(8, 0.6), 2) / Math.Sqrt(18)),
        RopeScaling = RopeScaling.Yarn,
        RopeFactor = 8,
        RopeOriginalContext = 256,
        RopeMscale = 1,
        RopeMscaleAllDim = 0.6f,
    };

    [Theory]
    [InlineData("deepseek-v3", false)]
    [InlineData("deepseek-v3", true)]
    [InlineData("deepseek-v3-yarn", false)]
    [InlineData("deepseek-v3-yarn", true)]
    public void LayerZero_GivesTheHiddenStatesOfHuggingFace(string name, bool cached)
    {
        Dictionary<string, float[]> weights = Read(name, "model.safetensors"), expected = Read(name, "expected.safetensors");
        float[] before = expected["hidden_states.0"], after = expected["hidden_states.1"];
        const int B = 2;
        int rows = before.Length / C, T = rows / B;
        AttentionConfig attention = name == "deepseek-v3" ? DeepSeek : Yarn;
        ModelConfig model = new() { Width = C, Layers = 2, Context = T };
        using AttentionLayer layer = new(model, attention, B);
        TensorNames names = TensorNames.Of(model);
        foreach (Parameter parameter in layer.Parameters)
            layer[AttentionLayer.NameOf(parameter)] = weights[names.Of(parameter.Name)];
        double[][] x = [.. before.Chunk(C).Select(row => Array.ConvertAll(row, v => (double)v))];
        double[][] normed = [.. x.Select(row => Norm(row, weights["model.layers.0.input_layernorm.weight"]))];
        normed.SelectMany(row => row).Select(v => (float)v).ToArray().CopyTo(layer.X, 0);

        float[] y = cached ? layer.ForwardWithCache(start => start == 0 ? T / 2 : 1) : layer.Forward(Pass.Inference);
        double largest = after.Max(Math.Abs);
        for (int n = 0; n < y.Length / C; n++)
        {
            double[] sum = [.. x[n].Select((v, c) => v + y[n * C + c])];
            double[] feedForward = FeedForward(weights, Norm(sum, weights["model.layers.0.post_attention_layernorm.weight"]));
            for (int c = 0; c < C; c++)
                Assert.Equal(after[n * C + c], sum[c] + feedForward[c], Tolerance * largest);
        }
    }

    /// <summary>The dense network of layer 0, or its experts: the best three of sigmoid(s) + bias, their gates summing to 1.5.</summary>
    private static double[] FeedForward(Dictionary<string, float[]> weights, double[] x)
    {
        const string Mlp = "model.layers.0.mlp";
        if (weights.ContainsKey($"{Mlp}.up_proj.weight"))
            return Network(weights, Mlp, x);
        double[] scores = [.. Times(weights[$"{Mlp}.gate.weight"], x).Select(s => 1 / (1 + Math.Exp(-s)))];
        float[] bias = weights[$"{Mlp}.gate.e_score_correction_bias"];
        int[] chosen = [.. Enumerable.Range(0, scores.Length).OrderByDescending(e => scores[e] + bias[e]).Take(3)];
        double[] y = Network(weights, $"{Mlp}.shared_experts", x);
        foreach (int e in chosen)
        {
            double gate = 1.5 * scores[e] / chosen.Sum(other => scores[other]);
            y = [.. y.Zip(Network(weights, $"{Mlp}.experts.{e}", x), (sum, value) => sum + gate * value)];
        }

        return y;
    }

    private static double[] Network(Dictionary<string, float[]> weights, string name, double[] x)
    {
        double[] gate = Times(weights[$"{name}.gate_proj.weight"], x), up = Times(weights[$"{name}.up_proj.weight"], x);
        return Times(weights[$"{name}.down_proj.weight"], [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)]);
    }

    private static double[] Norm(double[] x, float[] weight)
    {
        double root = Math.Sqrt(x.Average(v => v * v) + ModelEpsilon);
        return [.. x.Zip(weight, (v, w) => v / root * w)];
    }

    private static double[] Times(float[] matrix, double[] x) =>
        [.. matrix.Chunk(x.Length).Select(row => row.Zip(x, (w, v) => w * v).Sum())];

    private static Dictionary<string, float[]> Read(string name, string file)
    {
        using SafetensorsReader reader = SafetensorsReader.Open(Path.Combine(AppContext.BaseDirectory, "golden", "families", name, file));
        Dictionary<string, float[]> tensors = [];
        foreach (SafetensorsEntry entry in reader.Tensors.Values)
        {
            float[] values = new float[entry.Count];
            reader.Read(entry.Name, [.. entry.Shape], values);
            tensors.Add(entry.Name, values);
        }

        return tensors;
    }
}
