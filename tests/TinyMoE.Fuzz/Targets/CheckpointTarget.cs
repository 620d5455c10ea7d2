using System.Text;
using TinyMoE.App;
using TinyMoE.Inspect;
using TinyMoE.Train;

namespace TinyMoE.Fuzz;

/// <summary>
/// A whole checkpoint, of which one file is another. One that lists the checksums of its files loads as what was saved or not at all. An
/// input is the name of a file, a line break, and what it holds.
/// </summary>
internal sealed class CheckpointTarget : Target
{
    private const string Sums = "SHA256SUMS", Saved = "saved", Broken = "broken";

    private static readonly string[] Settings =
    [
        "model.width=4", "model.layers=1", "model.context=8", "attention.heads=2", "attention.kv_heads=1", "moe.experts=3", "moe.active=2",
        "moe.hidden=2", "train.batch=2", "train.warmup=0", "train.eval_every=1",
    ];

    private readonly Lock gate = new();
    private byte[][] files = [];
    private double loss;

    /// <inheritdoc/>
    public override string Name => "checkpoint";

    /// <inheritdoc/>
    public override double Share => 2;

    /// <summary>The files of a run of two steps.</summary>
    public override IEnumerable<byte[]> Made(string folder)
    {
        string last = Path.Combine(Prepare(folder), "last");
        lock (gate)
        {
            if (files.Length == 0)
            {
                loss = Evaluate(last);
                files = [.. Directory.EnumerateFiles(last).Order(StringComparer.Ordinal).Select(
                    file => (byte[])[.. Encoding.UTF8.GetBytes(Path.GetFileName(file) + '\n'), .. File.ReadAllBytes(file)])];
            }

            return files;
        }
    }

    /// <inheritdoc/>
    public override string? Read(byte[] input, string folder)
    {
        int end = Array.IndexOf(input, (byte)'\n');
        string saved = Path.Combine(Prepare(folder), "last");
        string? name = Directory.EnumerateFiles(saved).Select(path => Path.GetFileName(path)).FirstOrDefault(
            name => end >= 0 && input.AsSpan(0, end).SequenceEqual(Encoding.UTF8.GetBytes(name)));
        if (name is null)
            return null; // the name itself was changed: no file of a checkpoint
        byte[] content = input[(end + 1)..];
        string broken = Path.Combine(folder, Broken, "last");
        Directory.CreateDirectory(broken);
        foreach (string file in Directory.EnumerateFiles(saved))
            File.Copy(file, Path.Combine(broken, Path.GetFileName(file)), overwrite: true);
        File.WriteAllBytes(Path.Combine(broken, name), content);
        bool isSame = content.AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(saved, name)));

        double read = Evaluate(broken);
        bool mustBeSame = isSame || File.Exists(Path.Combine(saved, Sums));
        if (mustBeSame && read != loss)
            return $"{name} is another, and the checkpoint loads, with loss {read:R} instead of {loss:R}";
        return Resume(Path.GetDirectoryName(broken)!, mustBeSame && !isSame && name != Sums ? name : null);
    }

    /// <summary>A run of two steps, trained once in a folder.</summary>
    private static string Prepare(string folder)
    {
        string run = Path.Combine(folder, Saved);
        if (Directory.Exists(run))
            return run;
        string text = Path.Combine(folder, "text.txt");
        File.WriteAllText(text, string.Concat(Enumerable.Repeat("the quick brown fox jumps over the lazy dog; ", 8)));
        ConfigChoice choice = new()
        {
            Changes = [.. Settings.Select(setting => setting.Split('=')).Select(parts => KeyValuePair.Create(parts[0], parts[1]))],
            Steps = 3,
            Sources = [text],
        };
        Training.Run(Training.Prepare(choice, run) with { StopAt = 2, Device = OneThread }, new Silence());
        return run;
    }

    private static DeviceChoice OneThread => new() { Threads = 1 };

    private static double Evaluate(string checkpoint) =>
        Evaluating.Run(new EvaluationRequest(checkpoint) { Device = OneThread }).Report.Loss;

    /// <summary>Goes on with the run; where <paramref name="changed"/> is a file with another checksum, that must be refused.</summary>
    private static string? Resume(string run, string? changed)
    {
        TrainingRequest request = Training.Prepare(new ConfigChoice(), run, resume: true) with { StopAt = 2, Device = OneThread };
        Training.Run(request, new Silence());
        return changed is null ? null : $"{changed} is not what its checksum says, and the run goes on";
    }

    private sealed class Silence : ITrainingListener
    {
        public void OnStart(TrainingStart start)
        {
        }

        public void OnStep(StepReport r)
        {
        }

        public void OnEvaluation(EvalReport eval, IReadOnlyList<RoutingReport> routing, bool best)
        {
        }

        public void OnCheckpoint(int step, string path)
        {
        }
    }
}
