using System.CommandLine;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Generate;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;

namespace TinyMoE.Benchmarks;

/// <summary>
/// <c>decode</c>: what of the machine's read bandwidth a decode step has on layers of OLMoE's shape (64 experts, 8 active, width 2048,
/// hidden 1024), their weights in 16 bits and never in a cache from the token before.
/// </summary>
internal sealed class DecodeCommand
{
    private const int Prompt = 8;

    private readonly Option<int> layers = Commands.Whole("--layers", 2, 1, "Layers of the model; each is 0.8 GB in 16 bits.");
    private readonly Option<int> tokens = Commands.Whole("--tokens", 64, 2, "Tokens to write.");
    private readonly Option<string[]> types = Commands.SomeOf(
        "--types", "TYPE", "Types of the weights", ["bfloat16", "float16", "float32"]);

    private readonly Option<int> threads = Commands.Threads();
    private readonly Option<int?> bits = VectorWidth.Option();
    private readonly Option<bool> json = Commands.Json();

    public static Command Create()
    {
        DecodeCommand decode = new();
        Command command = new("decode", "Decoding with 16-bit weights on OLMoE's layers, beside the read bandwidth.")
        {
            decode.layers, decode.tokens, decode.types, decode.threads, decode.bits, decode.json,
        };
        command.SetAction(decode.Run);
        return command;
    }

    private void Run(ParseResult parsed)
    {
        Report report = new(parsed.GetValue(json));
        report.Head(peer: null);
        RunConfig config = new()
        {
            Model = new ModelConfig
            {
                Width = 2048, Layers = parsed.GetValue(layers), Context = 1024, Vocabulary = 4096, TieEmbeddings = false,
            },
            Attention = new AttentionConfig { Heads = 16, KvHeads = 16 },
            Moe = new MoeConfig { Experts = 64, Active = 8, Hidden = 1024, Renormalize = false },
        };
        foreach (string name in parsed.GetValue(types)!)
        {
            ElementType type = Enum.Parse<ElementType>(name, ignoreCase: true);
            using DrawnWeights weights = new(type);
            foreach (int used in new[] { 1, parsed.GetValue(threads) }.Distinct())
            {
                double bandwidth = Bandwidth.OfMemory(used);
                (double step, long bytes) = Time(config, weights, parsed.GetValue(tokens), used);
                double again = Bandwidth.OfMemory(used), read = 1e-9 * bytes / step, most = Math.Max(bandwidth, again);
                report.Row(
                    $"{name}, {used} thread{(used == 1 ? " " : "s")}: {1e3 * step:F2} ms per token, {1e-6 * bytes:F0} MB of weights read: "
                        + $"{read:F1} GB/s, {read / most:P0} of the {bandwidth:F1} to {again:F1} GB/s that memory gives",
                    new
                    {
                        Kind = "decode", Type = name, Threads = used, Milliseconds = 1e3 * step, Bytes = bytes, GigabytesPerSecond = read,
                        BandwidthGigabytesPerSecond = most, Share = read / most,
                    });
            }
        }
    }

    /// <summary>Median seconds of a token after the first, and the bytes of weights that it reads.</summary>
    private static (double Seconds, long Bytes) Time(RunConfig config, DrawnWeights weights, int count, int threads)
    {
        using CpuBackend backend = new(threads);
        using Decoder model = new(backend, config, training: false, weights: weights);
        Random random = new(1);
        int[] ids = [.. Enumerable.Range(0, Prompt).Select(_ => random.Next(config.Model.Vocabulary))];
        List<double> times = [];
        using IEnumerator<int> text = new Generator(backend, model)
            .Generate(ids, count, new SamplingOptions { Seed = 1 }).GetEnumerator();
        text.MoveNext();
        for (int i = 1; i < count; i++)
            times.Add(Measuring.Seconds(() => text.MoveNext()));
        return (Measuring.Median(times), model.Parameters.All.Sum(parameter => BytesRead(parameter, config)));
    }

    private static long BytesRead(Parameter parameter, RunConfig config)
    {
        long bytes = parameter.Precision.BytesOf(parameter.Count);
        return parameter.Part == ModelPart.Experts ? bytes * config.Moe.Active / config.Moe.Experts
            : parameter.Part == ModelPart.Embedding ? bytes / config.Model.Vocabulary
            : bytes;
    }
}
