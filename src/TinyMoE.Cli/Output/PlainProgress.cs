using System.Diagnostics;
using Spectre.Console;
using TinyMoE.Train;

namespace TinyMoE.Cli.Output;

/// <summary>Writes a line for the first and the last step, for every twentieth part of the run, and every few seconds.</summary>
internal sealed class PlainProgress(IAnsiConsole console) : Progress(console)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);
    private readonly Stopwatch silence = Stopwatch.StartNew();

    protected override void Show(StepReport step, TimeSpan left)
    {
        int part = Math.Max(1, Started.Steps / 20);
        if (step.Step != Started.FirstStep && step.Step != Started.Steps && step.Step % part != 0 && silence.Elapsed < Longest)
            return;
        Console.WriteLine(Words.Of(step, Started.Steps, left));
        silence.Restart();
    }
}
