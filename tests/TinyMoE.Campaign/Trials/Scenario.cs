using System.Globalization;
using System.Text.Json;

namespace TinyMoE.Campaign;

/// <summary>
/// A run that is as small as one can be and yet saves several times, and what it is when nothing disturbs it: the standard that every
/// disturbed run is held to.
/// </summary>
internal sealed class Scenario
{
    /// <summary>Its steps.</summary>
    public const int Steps = 6;

    /// <summary>Where the run stops that those go on from that are disturbed while they go on.</summary>
    public const int Middle = 3;

    private const string Text = "the quick brown fox jumps over the lazy dog, and the dog sleeps on; ";

    private static readonly string[] Small =
    [
        "model.width=4", "model.layers=1", "model.context=8", "attention.heads=2", "attention.kv_heads=1", "moe.experts=3", "moe.active=2",
        "moe.hidden=2", "train.batch=2", "train.warmup=0",
    ];

    private readonly string text;
    private readonly Dictionary<(bool IsRest, bool Reads), List<Call>> calls = [];

    private Scenario(string name, string text, string[] settings)
    {
        Name = name;
        this.text = text;
        Settings = settings;
    }

    /// <summary>What it is called.</summary>
    public string Name { get; }

    /// <summary>The keys that it sets.</summary>
    public string[] Settings { get; }

    /// <summary>The run that nothing disturbed.</summary>
    public RunContents Undisturbed { get; private set; } = null!;

    /// <summary>The folder of a run that stopped at <see cref="Middle"/>.</summary>
    public string Stopped { get; private set; } = "";

    /// <summary>The loss of the checkpoint of each step: what <c>tinymoe eval</c> must say of it, whenever it is asked.</summary>
    public SortedDictionary<int, double> Losses { get; } = [];

    /// <summary>Makes both: one that saves where it evaluates, and one that saves each step and whose best is not its last.</summary>
    public static Scenario[] Make(IRunner runner, string folder)
    {
        string text = WriteText(folder);
        Scenario[] all =
        [
            new("saves where it evaluates", text, [.. Small, "train.eval_every=2"]),
            new(
                "saves each step, best before last", text,
                [.. Small, "train.eval_every=2", "train.checkpoint_every=1", "train.learning_rate=3"]),
        ];
        foreach (Scenario scenario in all)
            scenario.Measure(runner, Path.Combine(folder, $"scenario{Array.IndexOf(all, scenario)}"));
        return all;
    }

    /// <summary>A run to compile the command with.</summary>
    public static Scenario ToWarmUp(string folder) => new("warm up", WriteText(folder), [.. Small, "train.eval_every=1"]);

    /// <summary>The words of <c>tinymoe train</c> into a folder.</summary>
    public string[] Train(string folder) =>
        [
            "train", "--out", folder, "--data", text, "--steps", Steps.ToString(CultureInfo.InvariantCulture), "--set", .. Settings,
            "--threads", "1", "--json",
        ];

    /// <summary>The words that go on with the run in a folder.</summary>
    public static string[] Resume(string folder) => ["train", "--resume", "--out", folder, "--threads", "1", "--json"];

    /// <summary>The words that evaluate what is in a folder.</summary>
    public static string[] Evaluate(string folder) => ["eval", "--run", folder, "--threads", "1", "--json"];

    /// <summary>The step and the loss that an evaluation said.</summary>
    public static (int Step, double Loss) LossIn(Outcome evaluated)
    {
        foreach (JsonElement json in evaluated.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement))
        {
            if (json.GetProperty("kind").GetString() == "eval")
                return (json.GetProperty("step").GetInt32(), json.GetProperty("loss").GetDouble());
        }

        throw new TinyMoEException($"An evaluation said no loss: {evaluated}.");
    }

    /// <summary>
    /// The calls of the whole run, or of <paramref name="rest"/>, one that goes on from <see cref="Stopped"/>; with those that read, or
    /// without.
    /// </summary>
    public IReadOnlyList<Call> Calls(bool rest, bool reads) => calls[(rest, reads)];

    /// <summary>The step whose checkpoint is surely there when call <paramref name="at"/> comes; 0: there may be none.</summary>
    public int SavedBefore(int at, bool rest, bool reads)
    {
        Call[] completions = [.. Calls(rest, reads).Where(Completes)];
        int done = completions.Count(call => call.Number < at), stopped = rest ? Middle : 0;
        int[] steps = [.. Enumerable.Range(1, Steps).Where(step => step > stopped && SavesAt(step))];
        return done == 0 ? stopped : steps[(done - 1) * steps.Length / completions.Length]; // some save a step twice
    }

    /// <summary>Whether a call puts a new checkpoint at its place.</summary>
    private static bool Completes(Call call) =>
        (call.Name.StartsWith("rename", StringComparison.Ordinal) && IsLast(call.Other)) || (call.Name == "renameat2" && IsLast(call.Path));

    private static bool IsLast(string path) => Path.GetFileName(path) == RunContents.Last;

    private void Measure(IRunner runner, string folder)
    {
        string whole = folder + "-whole", rest = folder + "-rest";
        Stopped = folder + "-stopped";
        Good(runner, new ShimOrder(whole), Train(whole));
        Undisturbed = RunContents.Of(whole);
        Good(runner, new ShimOrder(Stopped), [.. Train(Stopped), "--stop-at", $"{Middle}"]);
        foreach (bool reads in (bool[])[false, true])
        {
            Log(runner, whole, reads);
            Folders.Copy(Stopped, rest);
            Log(runner, rest, reads, isRest: true);
        }

        for (int step = 1; step <= Steps; step++)
        {
            string steps = string.Create(CultureInfo.InvariantCulture, $"{folder}-step{step}");
            Good(runner, new ShimOrder(steps), [.. Train(steps), "--stop-at", $"{step}"]);
            Outcome evaluated = Good(runner, new ShimOrder(steps), Evaluate(Path.Combine(steps, RunContents.Last)));
            (int at, Losses[step]) = LossIn(evaluated);
            if (at != step)
                throw new TinyMoEException($"A run that stops at step {step} saves step {at}.");
        }
    }

    /// <summary>Lists the calls of a run, which must be the same run as without the list.</summary>
    private void Log(IRunner runner, string folder, bool reads, bool isRest = false)
    {
        string log = folder + ".log";
        if (!isRest)
            Folders.Delete(folder);
        Good(runner, new ShimOrder(folder) { Log = log, Reads = reads }, isRest ? Resume(folder) : Train(folder));
        if (RunContents.Of(folder).DifferenceTo(Undisturbed) is { } difference)
            throw new TinyMoEException($"A run that nothing disturbs is another when it is done again or resumed: {difference}.");
        calls[(isRest, reads)] = Call.ReadLog(log);
        Folders.Delete(folder);
    }

    private static string WriteText(string folder)
    {
        string text = Path.Combine(folder, "text.txt");
        File.WriteAllText(text, string.Concat(Enumerable.Repeat(Text, 6)));
        return text;
    }

    private bool SavesAt(int step) => step % 2 == 0 || Settings.Contains("train.checkpoint_every=1");

    private static Outcome Good(IRunner runner, ShimOrder order, string[] arguments)
    {
        Outcome outcome = runner.Start(order, arguments).Wait();
        return outcome.ExitCode == 0 ? outcome : throw new TinyMoEException($"tinymoe {string.Join(' ', arguments)}: {outcome}");
    }
}
