using System.Numerics.Tensors;
using TinyMoE.Backends;
using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.Tensors;
using Tensor = TinyMoE.Tensors.Tensor;

namespace TinyMoE.Inspect;

/// <summary>How alike the experts of a layer are, each by each: cosines (E, E).</summary>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Weights">Of all their weights, as they lie.</param>
/// <param name="Matched">
/// Of all their weights with the hidden neurons of one in the order of those of the other that they stand for: the order of neurons is of
/// no matter to what an expert computes.
/// </param>
/// <param name="Outputs">Of the mean of what they gave for the tokens of a text; 0 where one served none, null without a text.</param>
/// <param name="IsExact">
/// Whether neurons are matched for the largest sum; greedily beyond <see cref="ExpertSimilarity.MostNeurons"/>.
/// </param>
public sealed record LayerSimilarity(int Layer, float[][] Weights, float[][] Matched, float[][]? Outputs, bool IsExact);

/// <summary>
/// How alike experts are. A neuron f of an expert is [gate[f] | up[f] | down[:, f]]; with S[f, g] the products of the neurons of two
/// experts a and b, their cosine is Σ S[f, f]/(|a|·|b|), and after matching by π Σ S[f, π(f)]/(|a|·|b|).
/// </summary>
public static class ExpertSimilarity
{
    /// <summary>Most hidden neurons that are matched for the largest sum.</summary>
    public const int MostNeurons = 512;

    /// <summary>
    /// Measures all layers; outputs on the sequences of <paramref name="source"/>, if there is one. Stops between pairs of experts.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static IReadOnlyList<LayerSimilarity> Measure(
        Backend backend, Decoder model, IEvaluationSource? source = null, CancellationToken stop = default)
    {
        Dictionary<int, double[][]> means = source is null ? [] : MeanOutputs(backend, model, source);
        int[] layers = [.. Enumerable.Range(0, model.Config.Model.Layers).Where(model.Config.Moe.InLayer)];
        return [.. layers.Select(layer => Layer(backend, model, layer, means.GetValueOrDefault(layer), stop))];
    }

    private static LayerSimilarity Layer(Backend backend, Decoder model, int layer, double[][]? means, CancellationToken stop)
    {
        int E = model.Config.Moe.Experts;
        using Tape tape = backend.NewTape(recording: false);
        Tensor[] experts = Neurons(tape, model, layer);          // (F, size of a neuron) each
        int F = experts[0].Shape[0], size = experts[0].Shape[1];
        double[] norms = [.. experts.Select(expert => Math.Sqrt(expert.ToArray().Sum(value => (double)value * value)))];
        Tensor products = tape.Constant((F, F));
        float[][] weights = Square(E), matched = Square(E);
        for (int a = 0; a < E; a++)
        {
            for (int b = a + 1; b < E; b++)
            {
                stop.ThrowIfCancellationRequested();
                backend.MatMul(experts[a].Values, false, experts[b].Values, true, 1, F, F, size, products.Data);
                float[] s = products.ToArray();
                int[] matching = F <= MostNeurons ? NeuronMatching.Exact(s, F) : NeuronMatching.Greedy(s, F);
                double lying = 0, best = 0;
                for (int f = 0; f < F; f++)
                    (lying, best) = (lying + s[f * F + f], best + s[f * F + matching[f]]);
                weights[a][b] = weights[b][a] = (float)(lying / (norms[a] * norms[b]));
                matched[a][b] = matched[b][a] = (float)(best / (norms[a] * norms[b]));
            }
        }

        return new LayerSimilarity(layer, weights, matched, means is null ? null : Cosines(means), F <= MostNeurons);
    }

    /// <summary>The neurons of every expert of a layer.</summary>
    private static Tensor[] Neurons(Tape tape, Decoder model, int layer)
    {
        string prefix = $"layers.{layer}.moe.experts.";
        Parameter Find(string name) => model.Parameters.All.Single(parameter => parameter.Name == $"{prefix}{name}.weight");
        Parameter up = Find("up"), down = Find("down");          // (E, F, C), (E, C, F)
        Parameter[] inputs = model.Config.Model.IsGated ? [Find("gate"), up] : [up];
        int E = up.Shape[0], F = up.Shape[1], C = up.Shape[2], size = (inputs.Length + 1) * C;
        float[] matrix = new float[F * C];
        return [.. Enumerable.Range(0, E).Select(Of)];

        Tensor Of(int e)
        {
            float[] neurons = new float[F * size];
            for (int i = 0; i < inputs.Length; i++)
            {
                model.Parameters.Read(inputs[i], e * F * C, matrix);
                for (int f = 0; f < F; f++)
                    matrix.AsSpan(f * C, C).CopyTo(neurons.AsSpan((f * size) + (i * C)));
            }

            model.Parameters.Read(down, e * F * C, matrix);
            for (int f = 0; f < F; f++)
            {
                for (int c = 0; c < C; c++)
                    neurons[(f * size) + (inputs.Length * C) + c] = matrix[c * F + f];
            }

            return tape.Constant((F, size), neurons);
        }
    }

    /// <summary>The mean of what each expert gave, by layer (E, C); zeros where it served no token.</summary>
    private static Dictionary<int, double[][]> MeanOutputs(Backend backend, Decoder model, IEvaluationSource source)
    {
        Dictionary<int, (double[][] Sums, long[] Counts)> layers = [];
        int E = model.Config.Moe.Experts, C = model.Config.Model.Width, first = 0;
        foreach (int count in EvaluationGroups.Of(model.Config, source.Sequences))
        {
            using Tape tape = backend.NewTape(recording: false);
            EvaluationBatch batch = source.Read(tape, first, count, model.Config.Moe.RoutesByLabel);
            first += count;
            KeptRows kept = new();
            DecoderOutput output = model.Forward(tape, batch.Batch.Tokens, Pass.Inference with { Observer = kept });
            foreach (((int layer, Routing routing), Tensor rows) in output.Routings.Zip(kept.Rows))
            {
                if (!layers.TryGetValue(layer, out (double[][] Sums, long[] Counts) sums))
                    layers[layer] = sums = ([.. Enumerable.Range(0, E).Select(_ => new double[C])], new long[E]);
                int[] offsets = backend.Read(routing.Assignment.Offsets);
                float[] values = rows.ToFloat32().ToArray();
                for (int e = 0; e < E; e++)
                {
                    sums.Counts[e] += offsets[e + 1] - offsets[e];
                    for (int row = offsets[e]; row < offsets[e + 1]; row++)
                    {
                        for (int c = 0; c < C; c++)
                            sums.Sums[e][c] += values[row * C + c];
                    }
                }
            }
        }

        return layers.ToDictionary(
            layer => layer.Key,
            layer => layer.Value.Sums.Select((sum, e) => Array.ConvertAll(sum, value => value / Math.Max(1, layer.Value.Counts[e])))
                .ToArray());
    }

    private static float[][] Cosines(double[][] vectors)
    {
        float[][] cosines = Square(vectors.Length);
        for (int a = 0; a < vectors.Length; a++)
        {
            for (int b = 0; b < vectors.Length; b++)
            {
                double norms = TensorPrimitives.Norm<double>(vectors[a]) * TensorPrimitives.Norm<double>(vectors[b]);
                cosines[a][b] = norms == 0 ? 0f : a == b ? 1f : (float)(TensorPrimitives.Dot<double>(vectors[a], vectors[b]) / norms);
            }
        }

        return cosines;
    }

    /// <summary>Cosines of each with itself.</summary>
    private static float[][] Square(int E)
    {
        float[][] square = [.. Enumerable.Range(0, E).Select(_ => new float[E])];
        for (int e = 0; e < E; e++)
            square[e][e] = 1f;
        return square;
    }
}
