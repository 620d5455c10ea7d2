using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace TinyMoE.Benchmarks;

/// <summary>
/// <c>start</c>: how long the command takes to begin. From the start of its process to the first character of a text, and the first step of
/// a training beside its second.
/// </summary>
internal sealed class StartCommand
{
    private const int Steps = 8; // of the model that writes: enough to be one, too few to write well

    private static readonly string[] Presets = ["mixtral-tiny", "bench"];

    private readonly Option<string> program = new("--program")
    {
        HelpName = "FILE",
        Description = "The command to measure, as 'dotnet publish -c Release -r linux-x64 -o DIR src/TinyMoE.Cli' leaves it in DIR.",
        Required = true,
    };

    private readonly Option<int> turns = Commands.Whole("--turns", 9, 1, "Starts to take the median of.");
    private readonly Option<string[]> presets = Commands.SomeOf("--presets", "NAME ...", "Presets whose first step is timed", Presets);
    private readonly Option<bool> json = Commands.Json();

    public static Command Create()
    {
        StartCommand start = new();
        Command command = new("start", "Seconds to the first character of a text, and the first step of a training beside its second.")
        {
            start.program, start.turns, start.presets, start.json,
        };
        command.SetAction(start.Run);
        return command;
    }

    private void Run(ParseResult parsed)
    {
        Report report = new(parsed.GetValue(json));
        string file = parsed.GetValue(program)!, folder = Directory.CreateTempSubdirectory("tinymoe-start").FullName;
        try
        {
            string model = Path.Combine(folder, "model");
            _ = FirstBesideSecond(file, "mixtral-tiny", model);
            string[] generate = ["generate", "--run", model, "--prompt", "The ", "--tokens", "20"];
            _ = SecondsToFirst(file, generate); // the files are in memory from now on
            double[] seconds = [.. Enumerable.Range(0, parsed.GetValue(turns)).Select(_ => SecondsToFirst(file, generate))];
            double median = Measuring.Median(seconds);
            report.Row(
                $"first character of mixtral-tiny after {median:F3} s (median of {seconds.Length}; {seconds.Min():F3} to "
                    + $"{seconds.Max():F3})",
                new { Seconds = median, Least = seconds.Min(), Most = seconds.Max() });
            foreach (string preset in parsed.GetValue(presets)!)
            {
                double[] ratios =
                [
                    .. Enumerable.Range(0, 3).Select(turn => FirstBesideSecond(file, preset, Path.Combine(folder, $"{preset}-{turn}"))),
                ];
                report.Row(
                    $"first step of {preset}: {Measuring.Median(ratios):F2} times the second (median of {ratios.Length})",
                    new { Preset = preset, FirstStep = Measuring.Median(ratios) });
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Seconds from the start of a process to the first byte of its output; it may end in peace.</summary>
    private static double SecondsToFirst(string program, string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true };
        long began = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start)!;
        int first = process.StandardOutput.BaseStream.ReadByte();
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        _ = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 && first >= 0 ? seconds
            : throw new TinyMoEException($"{program} {string.Join(' ', arguments)} failed with exit code {process.ExitCode}");
    }

    /// <summary>Trains a few steps; how many times as long as the second the first one took.</summary>
    private static double FirstBesideSecond(string program, string preset, string folder)
    {
        _ = ChildProcess.Run(program, [
            "train", "--preset", preset, "--out", folder, "--steps", $"{Steps}", "--set", "train.eval_windows=4", "train.warmup=4"]);
        double[] rates = [.. File.ReadLines(Path.Combine(folder, "metrics.jsonl"))
            .Select(line => JsonNode.Parse(line)!).Where(line => (string?)line["kind"] == "train")
            .Select(line => (double)line["tokens_per_second"]!)];
        return rates[1] / rates[0];
    }
}
