using System.Diagnostics;
using Spectre.Console;
using TinyMoE.Train;

namespace TinyMoE.Cli.Output;

/// <summary>
/// One line that is redrawn in place, a few times per second; everything else scrolls above it. (Spectre's own live displays leave
/// the ends of longer lines behind what is written above them, and refresh from a thread of their own.)
/// </summary>
internal sealed class LiveProgress(IAnsiConsole console) : Progress(console)
{
    private const int BarWidth = 24;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly Stopwatch drawn = new();

    protected override void Erase() => Console.EraseLine();

    protected override void Show(StepReport step, TimeSpan left)
    {
        if (drawn.IsRunning && drawn.Elapsed < Pause && step.Step != Started.Steps)
            return;
        Erase();
        int room = Console.Profile.Width - 1; // a full line would wrap
        string words = Words.Of(step, Started.Steps, left);
        if (room > BarWidth + words.Length)
        {
            int full = (int)((long)BarWidth * step.Step / Started.Steps);
            Console.Markup($"[green]{new string('━', full)}[/][grey]{new string('━', BarWidth - full)}[/] ");
        }
        Console.Write(new Text(words[..Math.Min(words.Length, room)]));
        drawn.Restart();
    }
}
