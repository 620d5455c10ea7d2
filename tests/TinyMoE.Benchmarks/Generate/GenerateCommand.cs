using System.CommandLine;
using System.Diagnostics;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Generate;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;

namespace TinyMoE.Benchmarks;

/// <summary>
/// <c>generate</c>: tokens per second at batch 1, and how near decoding comes to the machine's read bandwidth, which bounds it.
/// </summary>
internal sealed class GenerateCommand
{
    private readonly Option<string> preset = Commands.Preset();
    private readonly Option<int> prompt = Commands.Whole("--prompt", 128, 1, "Tokens of the prompt.");
    private readonly Option<int> tokens = Commands.Whole("--tokens", 128, 2, "Tokens to write.");
    private readonly Option<int> rounds = Commands.Whole("--rounds", 7, 1, "Texts to write, after one that is not counted.");
    private readonly Option<bool> bfloat16 = new("--bfloat16") { Description = "Experts in bfloat16." };
    private readonly Option<int> threads = Commands.Threads();
    private readonly Option<int?> bits = VectorWidth.Option();
    private readonly Option<bool> json = Commands.Json();

    public static Command Create()
    {
        GenerateCommand generate = new();
        Command command = new(
            "generate", "Prefill and decoding at batch 1, and the share of the machine's read bandwidth that decoding has.")
        {
            generate.preset, generate.prompt, generate.tokens, generate.rounds, generate.bfloat16, generate.threads, generate.bits,
            generate.json,
        };
        command.SetAction(generate.Run);
        return command;
    }

    private void Run(ParseResult parsed)
    {
        Report report = new(parsed.GetValue(json));
        report.Head(peer: null);
        RunConfig config = TrainingRun.ConfigOf(parsed.GetValue(preset)!);
        if (parsed.GetValue(bfloat16))
            config = config with { Moe = config.Moe with { ExpertPrecision = ElementType.Bfloat16 } };
        (int promptLength, int count, int all) = (parsed.GetValue(prompt), parsed.GetValue(tokens), parsed.GetValue(threads));
        if (promptLength + count > config.Model.Context)
            throw new TinyMoEException($"--prompt {promptLength} and --tokens {count} do not fit a context of {config.Model.Context}");

        ModelSize size = ModelSize.Of(config);
        long activeBytes = ActiveBytes(size, config), weightBytes = size.Parts.Sum(part => part.Bytes);
        foreach (int used in new[] { 1, all }.Distinct())
        {
            double bandwidth = Bandwidth.OfMemory(used);
            (double prefill, double decode, double allocated) = Time(config, promptLength, count, parsed.GetValue(rounds), used);
            double read = 1e-9 * activeBytes / decode, share = read / bandwidth;
            report.Row(
                $"{used} thread{(used == 1 ? " " : "s")}: prefill {promptLength / prefill,6:F0} tokens/s of {promptLength}; "
                    + $"decoding {1 / decode,5:F0} tokens/s, {1e3 * decode:F3} ms per token; "
                    + $"{1e-6 * activeBytes:F1} MB of {1e-6 * weightBytes:F1} MB weights read: {read:F1} GB/s, {share:P0} of the "
                    + $"{bandwidth:F1} GB/s that memory gives; {allocated:F0} bytes managed per token",
                new
                {
                    Kind = "generate", Preset = parsed.GetValue(preset), Threads = used, Prompt = promptLength,
                    PrefillTokensPerSecond = promptLength / prefill, DecodeTokensPerSecond = 1 / decode,
                    ActiveBytes = activeBytes, WeightBytes = weightBytes, GigabytesPerSecond = read,
                    BandwidthGigabytesPerSecond = bandwidth, Share = share, AllocatedBytes = allocated,
                });
        }
    }

    /// <summary>Bytes of the weights that one token's forward pass reads; of an embedding that is not the head too it is a row.</summary>
    private static long ActiveBytes(ModelSize size, RunConfig config) =>
        size.Parts.Where(part => part.Part != ModelPart.Embedding || config.Model.TieEmbeddings).Sum(part => part.ActiveBytes);

    /// <summary>Median seconds of the prompt, and of each token after the first; managed bytes of such a token.</summary>
    private static (double Prefill, double Decode, double AllocatedBytes) Time(
        RunConfig config, int promptLength, int count, int rounds, int threads)
    {
        using CpuBackend backend = new(threads);
        using Decoder model = new(backend, config, training: false);
        Generator generator = new(backend, model);
        Random random = new(1);
        List<double> prefill = [], decode = [];
        long allocated = 0;
        for (int round = -1; round < rounds; round++)
        {
            int[] ids = [.. Enumerable.Range(0, promptLength).Select(_ => random.Next(config.Model.Vocabulary))];
            using IEnumerator<int> text = generator.Generate(ids, count, new SamplingOptions { Seed = (ulong)(round + 2) }).GetEnumerator();
            double first = Measuring.Seconds(() => text.MoveNext());
            double[] later = new double[count - 1];
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < later.Length; i++)
            {
                long began = Stopwatch.GetTimestamp();
                _ = text.MoveNext();
                later[i] = Stopwatch.GetElapsedTime(began).TotalSeconds;
            }

            if (round < 0)
                continue; // warm-up
            allocated += GC.GetTotalAllocatedBytes(precise: true) - before;
            prefill.Add(first);
            decode.AddRange(later);
        }
        return (Measuring.Median(prefill), Measuring.Median(decode), (double)allocated / decode.Count);
    }
}
