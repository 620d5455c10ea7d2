using System.CommandLine;
using System.Diagnostics;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Generate;
using TinyMoE.Memory;
using TinyMoE.Models;

namespace TinyMoE.Benchmarks;

/// <summary>
/// <c>serve</c>: tokens per second of several texts at once beside one, and one beside the generator that writes one only. All take turns.
/// </summary>
internal sealed class ServeCommand
{
    private static readonly int[] Sizes = [0, 1, 2, 4, 8, 16, 32]; // 0: the generator

    private readonly Option<string> preset = Commands.Preset();
    private readonly Option<int> prompt = Commands.Whole("--prompt", 16, 1, "Tokens of a prompt.");
    private readonly Option<int> tokens = Commands.Whole("--tokens", 96, 2, "Tokens to write per text.");
    private readonly Option<int> rounds = Commands.Whole("--rounds", 5, 1, "Rounds, after one that is not counted.");
    private readonly Option<bool> bfloat16 = new("--bfloat16") { Description = "Experts in bfloat16." };
    private readonly Option<int> threads = Commands.Threads();
    private readonly Option<int?> bits = VectorWidth.Option();
    private readonly Option<bool> json = Commands.Json();

    public static Command Create()
    {
        ServeCommand serve = new();
        Command command = new("serve", "Tokens per second of 1 to 32 texts at once, and of the generator that writes one.")
        {
            serve.preset, serve.prompt, serve.tokens, serve.rounds, serve.bfloat16, serve.threads, serve.bits, serve.json,
        };
        command.SetAction(serve.Run);
        return command;
    }

    private void Run(ParseResult parsed)
    {
        Report report = new(parsed.GetValue(json));
        report.Head(peer: null);
        RunConfig config = TrainingRun.ConfigOf(parsed.GetValue(preset)!);
        if (parsed.GetValue(bfloat16))
            config = config with { Moe = config.Moe with { ExpertPrecision = ElementType.Bfloat16 } };
        (int promptLength, int count) = (parsed.GetValue(prompt), parsed.GetValue(tokens));
        if (promptLength + count > config.Model.Context)
            throw new TinyMoEException($"--prompt {promptLength} and --tokens {count} do not fit a context of {config.Model.Context}");
        using CpuBackend backend = new(parsed.GetValue(threads));
        using Decoder model = new(backend, config, training: false);
        Dictionary<int, List<double>> steps = Sizes.ToDictionary(size => size, _ => new List<double>());
        List<double> alone = [];
        Dictionary<int, double> allocated = [];
        for (int round = -1; round < parsed.GetValue(rounds); round++)
        {
            foreach (int size in round % 2 == 0 ? Sizes : [.. Sizes.Reverse()])
            {
                if (size == 0)
                {
                    double one = Alone(backend, model, promptLength, count, round);
                    if (round >= 0)
                        alone.Add(one);
                    continue;
                }

                (double step, allocated[size]) = Together(backend, model, size, promptLength, count, round);
                if (round >= 0)
                    steps[size].Add(step);
            }
        }

        double single = 1 / Measuring.Median(steps[1]), generator = 1 / Measuring.Median(alone);
        report.Row(
            $"generator: {generator,6:F0} tokens/s; one text of a batch is {single / generator:F2} times as fast",
            new { Kind = "serve", Preset = parsed.GetValue(preset), Texts = 0, TokensPerSecond = generator });
        foreach (int size in Sizes[1..])
        {
            double rate = size / Measuring.Median(steps[size]);
            report.Row(
                $"{size,2} texts: {rate,6:F0} tokens/s, {1e3 / rate * size:F3} ms per step, {rate / single:F2} times one; "
                    + $"{allocated[size] / size:F0} bytes managed per token",
                new
                {
                    Kind = "serve", Preset = parsed.GetValue(preset), Texts = size, TokensPerSecond = rate, Ratio = rate / single,
                    AllocatedBytes = allocated[size] / size,
                });
        }
    }

    private static int[] Prompt(Decoder model, int length, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(model.Config.Model.Vocabulary))];
    }

    /// <summary>Median seconds of a token after the first, by the generator of one text.</summary>
    private static double Alone(CpuBackend backend, Decoder model, int promptLength, int count, int round)
    {
        using IEnumerator<int> text = new Generator(backend, model)
            .Generate(Prompt(model, promptLength, round), count, new SamplingOptions { Seed = (ulong)(round + 2) }).GetEnumerator();
        text.MoveNext();
        double[] times = new double[count - 1];
        for (int i = 0; i < times.Length; i++)
        {
            long began = Stopwatch.GetTimestamp();
            _ = text.MoveNext();
            times[i] = Stopwatch.GetElapsedTime(began).TotalSeconds;
        }

        return Measuring.Median(times);
    }

    /// <summary>Median seconds of a step that has a token of each text, and managed bytes of one.</summary>
    private static (double Seconds, double Bytes) Together(
        CpuBackend backend, Decoder model, int size, int promptLength, int count, int round)
    {
        using BatchGenerator batch = new(backend, model, size);
        BatchSequence[] texts = [.. Enumerable.Range(0, size).Select(i => batch.Add(new BatchRequest
        {
            Prompt = Prompt(model, promptLength, 100 * i + round),
            Count = count + size, // the first has done so many when the last begins
            Sampling = new SamplingOptions { Seed = (ulong)(100 * i + round + 2) },
        }))];
        while (texts[^1].Count == 0)
            batch.Step();
        List<double> times = new(count);
        long before = GC.GetTotalAllocatedBytes(precise: true);
        while (texts[0].End is null)
        {
            long began = Stopwatch.GetTimestamp();
            batch.Step();
            times.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
        }

        return (Measuring.Median(times), (double)(GC.GetTotalAllocatedBytes(precise: true) - before) / times.Count);
    }
}
