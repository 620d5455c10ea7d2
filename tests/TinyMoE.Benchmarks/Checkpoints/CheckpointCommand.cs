using System.CommandLine;
using System.Text.Json.Nodes;
using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Files;
using TinyMoE.Inspect;
using TinyMoE.Models;
using TinyMoE.Optim;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.Benchmarks;

/// <summary><c>checkpoint</c>: what checksums cost when a checkpoint is loaded, beside the same one without.</summary>
internal static class CheckpointCommand
{
    private const int Turns = 7;

    public static Command Create()
    {
        Option<int> layers = Commands.Whole("--layers", 8, 1, "Layers of the model, 117 MB each.");
        Option<bool> json = Commands.Json();
        Command command = new("checkpoint", "Loading a checkpoint with checksums and the same without, in turns, from a warm cache.")
        {
            layers, json,
        };
        command.SetAction(parsed => Run(parsed.GetValue(layers), new Report(parsed.GetValue(json))));
        return command;
    }

    private static void Run(int layers, Report report)
    {
        string folder = Directory.CreateTempSubdirectory("tinymoe-checkpoint").FullName;
        try
        {
            (string with, string without) = (Path.Combine(folder, "with"), Path.Combine(folder, "without"));
            using CpuBackend backend = new();
            double saved = Write(backend, layers, with);
            Copy(with, without);
            _ = (Load(backend, with), Load(backend, without)); // warm
            List<double> verified = [], plain = [];
            for (int turn = 0; turn < Turns; turn++)
            {
                verified.Add(Load(backend, with));
                plain.Add(Load(backend, without));
            }

            double gigabytes = new FileInfo(Path.Combine(with, RunFiles.Model)).Length / 1e9;
            (double seconds, double least) = (Measuring.Median(verified), Measuring.Median(plain));
            double ratio = Measuring.Median(verified.Zip(plain, (a, b) => a / b));
            report.Row(
                $"{gigabytes:F2} GB on {backend.Name}: {seconds:F3} s with checksums, {least:F3} s without, ratio {ratio:F3} (medians of "
                    + $"{Turns} turns); saved with its moments in {saved:F1} s",
                new { Gigabytes = gigabytes, Verified = seconds, Plain = least, Ratio = ratio, Saved = saved });
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Write(Backend backend, int layers, string folder)
    {
        Tokenizer tokenizer = Tokenizer.For(TokenizerKind.Byte, "a"u8);
        RunConfig config = new()
        {
            Model = new ModelConfig { Width = 1024, Layers = layers, Context = 64, Vocabulary = tokenizer.Vocabulary },
            Attention = new AttentionConfig { Heads = 16 },
            Moe = new MoeConfig { Experts = 8, Active = 2, Hidden = 1024 },
            Data = new DataConfig { Tokenizer = TokenizerKind.Byte },
        };
        Corpus corpus = new(tokenizer, new int[2000], validationShare: 0.5f);
        using Decoder model = new(backend, config);
        AdamW optimizer = new(model.Parameters, config.Train);
        return Measuring.Seconds(() => CheckpointWriter.Save(
            folder,
            CheckpointWriter.Model(model, optimizer),
            CheckpointWriter.State(TrainingState.New(corpus.Fingerprint)),
            corpus.Save,
            CheckpointWriter.Routing(RoutingSnapshot.None)));
    }

    /// <summary>The same checkpoint as one of the format before checksums.</summary>
    private static void Copy(string with, string without)
    {
        Directory.CreateDirectory(without);
        foreach (string name in (string[])[RunFiles.Config, RunFiles.Model, RunFiles.Tokenizer, RunFiles.Labels])
            File.Copy(Path.Combine(with, name), Path.Combine(without, name));
        JsonNode state = JsonNode.Parse(File.ReadAllText(Path.Combine(with, RunFiles.State)))!;
        state["format"] = 1;
        File.WriteAllText(Path.Combine(without, RunFiles.State), state.ToJsonString());
    }

    private static double Load(Backend backend, string folder) => Measuring.Seconds(() =>
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        using Decoder model = checkpoint.LoadModel(backend);
    });
}
