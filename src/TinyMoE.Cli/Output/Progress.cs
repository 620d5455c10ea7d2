using System.Diagnostics;
using Spectre.Console;
using TinyMoE.Inspect;
using TinyMoE.Train;

namespace TinyMoE.Cli.Output;

/// <summary>Shows training: a live line on a terminal, plain lines elsewhere, JSON lines where asked for.</summary>
internal abstract class Progress(IAnsiConsole console) : ITrainingListener
{
    private const string Best = " (best so far)";
    private readonly Stopwatch clock = new();
    private TrainingStart? start;

    /// <summary>Trains under the listener that suits the output.</summary>
    public static T Watch<T>(TextWriter output, bool json, Func<ITrainingListener, T> train)
    {
        if (json)
            return train(new JsonProgress(output));
        IAnsiConsole console = Consoles.For(output);
        Progress progress = console.Profile.Capabilities.Ansi ? new LiveProgress(console) : new PlainProgress(console);
        try
        {
            return train(progress);
        }
        finally
        {
            progress.Erase();
        }
    }

    public void OnStart(TrainingStart start)
    {
        this.start = start;
        clock.Start();
        string weights = Words.Count(start.TotalParameters), active = Words.Count(start.ActiveParameters);
        Console.WriteLine($"{start.Device}; {weights} weights, {active} active per token");
        string learned = Words.Count(start.TrainTokens), heldOut = Words.Count(start.ValidationTokens);
        Console.WriteLine($"{learned} tokens to learn, {heldOut} held out, vocabulary {start.Vocabulary}");
        Console.WriteLine(start.FirstStep == 1 ? $"{start.Steps} steps" : $"going on at step {start.FirstStep} of {start.Steps}");
        foreach (NoteReport note in start.Notes ?? [])
            Console.WriteLine(Words.Note(note.Text));
    }

    public void OnStep(StepReport r)
    {
        int made = r.Step - Started.FirstStep + 1;
        Show(r, clock.Elapsed / made * (Started.Steps - r.Step));
    }

    public void OnEvaluation(EvalReport eval, IReadOnlyList<RoutingReport> routing, bool best)
    {
        Erase();
        string line = $"evaluation at step {eval.Step}: {Words.Of(eval)}";
        if (best && line.Length + Best.Length <= Console.Profile.Width)
            Console.WriteLine(line + Best);
        else
            Console.WriteLine(best ? $"{line}\n {Best}" : line);
        RoutingTable.Write(Console, routing);
    }

    public void OnWarning(WarningReport warning)
    {
        Erase();
        Console.MarkupLineInterpolated($"[yellow]warning: {warning.Text}[/]");
    }

    public void OnNote(NoteReport note)
    {
        Erase();
        Console.WriteLine(Words.Note(note.Text));
    }

    public void OnProblem(ProblemReport problem)
    {
        Erase();
        Console.MarkupLineInterpolated($"[yellow]problem: {problem.Text}[/]");
    }

    public void OnCheckpoint(int step, string path)
    {
    }

    /// <summary>The console that training is shown on.</summary>
    protected IAnsiConsole Console => console;

    /// <summary>What was told at the start of the run.</summary>
    protected TrainingStart Started => start ?? throw new InvalidOperationException("A step came before the start.");

    /// <summary>Takes away what is drawn in place, before a line is written.</summary>
    protected virtual void Erase()
    {
    }

    /// <summary>Shows a step, and the time that is left.</summary>
    protected abstract void Show(StepReport step, TimeSpan left);
}
