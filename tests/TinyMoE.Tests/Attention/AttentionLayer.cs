using TinyMoE.Attention;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Attention;

/// <summary>One attention layer with weights large enough to tell tokens apart, and an input of B sequences of a whole context.</summary>
internal sealed class AttentionLayer : IDisposable
{
    public static readonly Pass Training = new(Training: true, Seed: 3, Step: 2, Part: 1);

    private const string Name = "layers.0.attention";

    private readonly CpuBackend backend;
    private readonly ParameterStore store;
    private readonly IAttention attention;
    private readonly RotaryTable? rotary;
    private readonly Shape shape;

    public AttentionLayer(ModelConfig model, AttentionConfig config, int B, int layer = 0, bool joins = false)
    {
        backend = new CpuBackend(2) { Joins = joins };
        shape = (B, model.Context, model.Width);
        if (model.Positions == PositionKind.Rope)
            rotary = new RotaryTable(model, config, config.RopeSizeOrAll(model.Width));
        rotary?.Allocate(backend);
        store = new ParameterStore(backend);
        attention = AttentionFactory.Create(store, Name, model, config, layer, rotary);
        store.Allocate(seed: 5);
        foreach (Parameter parameter in store.All)
            backend.FillNormal(new RandomKey(9, RandomPurpose.Other, (int)parameter.Offset), parameter.Count, parameter.Data);
        backend.Affine(store.Weights.All, 0.5f, 0f, store.Weights.All.Length, store.Weights.All);
        Philox random = new(new RandomKey(2, RandomPurpose.Other, model.Context));
        X = [.. Enumerable.Range(0, shape.Count).Select(i => random.Normal(i))];
    }

    public float[] X { get; }

    public IReadOnlyList<Parameter> Parameters => store.All;

    /// <summary>The parameters by their names in the layer, and the input as "x".</summary>
    public Dictionary<string, float[]> Values => store.All.Select(p => (NameOf(p), backend.Read(p.Data))).Append(("x", X)).ToDictionary();

    public float[] this[string name]
    {
        get => backend.Read(Find(name).Data);
        set => backend.Write<float>(value, Find(name).Data);
    }

    public float[] Forward(Pass pass)
    {
        using Tape tape = backend.NewTape(recording: false);
        return attention.Forward(tape.Constant(shape, X), pass).ToArray();
    }

    /// <summary>The first sequence token by token through a cache.</summary>
    public float[] ForwardByToken() => ForwardWithCache(_ => 1);

    /// <summary>The first sequence through a cache, as many tokens at a time as <paramref name="chunk"/> says at a position.</summary>
    public float[] ForwardWithCache(Func<int, int> chunk)
    {
        using AttentionCache cache = attention.NewCache(backend);
        List<float> y = [];
        int C = shape[2];
        for (int start = 0, T; start < shape[1]; start += T)
        {
            T = Math.Min(chunk(start), shape[1] - start);
            using Tape tape = backend.NewTape(recording: false);
            Tensor x = tape.Constant((1, T, C), X.AsSpan(start * C, T * C));
            y.AddRange(attention.Forward(x, Pass.Inference, cache).ToArray());
            cache.Advance(T);
        }

        return [.. y];
    }

    /// <summary>Of the input "x" and of every parameter.</summary>
    public Dictionary<string, float[]> Gradients(float[] dy)
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(shape, X);
        tape.Backward(attention.Forward(x, Training), dy);
        store.RequireGradients();
        return store.All.Select(p => (NameOf(p), backend.Read(p.Grad))).Append(("x", backend.Read(x.Grad))).ToDictionary();
    }

    /// <summary>
    /// Every gradient against central differences of a reference, which reads its parameters and its input from <paramref name="values"/>.
    /// </summary>
    public void AssertGradients(Dictionary<string, double[]> values, Func<double[]> reference)
    {
        Philox random = new(new RandomKey(7, RandomPurpose.Other, Step: 100));
        float[] dy = [.. Enumerable.Range(0, X.Length).Select(i => 2 * random.Uniform(i) - 1)];
        Dictionary<string, float[]> gradients = Gradients(dy);
        Assert.Equal(values.Keys.Order(), gradients.Keys.Order());
        foreach ((string key, double[] at) in values)
        {
            double[] numeric = new double[at.Length];
            for (int i = 0; i < at.Length; i++)
            {
                const double Step = 1e-5;
                double value = at[i];
                double Loss(double moved)
                {
                    at[i] = moved;
                    return reference().Zip(dy, (y, d) => y * d).Sum();
                }

                numeric[i] = (Loss(value + Step) - Loss(value - Step)) / (2 * Step);
                at[i] = value;
            }

            AssertClose(numeric, gradients[key], 1e-4, key);
        }
    }

    public static void AssertClose(double[] expected, float[] actual, double tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs(expected[i] - actual[i]) / (1 + Math.Abs(expected[i]));
            string message = $"{what} [{i}]: expected {expected[i]:G9}, got {actual[i]:G9} (error {error:E2}, allowed {tolerance:E2})";
            Assert.True(error <= tolerance, message);
        }
    }

    public void Dispose()
    {
        store.Dispose();
        rotary?.Dispose();
        Assert.Equal(0, backend.Pool.LiveBuffers);
        backend.Dispose();
    }

    /// <summary>The name in the layer.</summary>
    public static string NameOf(Parameter parameter) => parameter.Name[(Name.Length + 1)..];

    private Parameter Find(string name) => store.All.Single(p => p.Name == $"{Name}.{name}");
}
