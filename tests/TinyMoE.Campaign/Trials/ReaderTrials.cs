namespace TinyMoE.Campaign;

/// <summary>
/// Reads a run's checkpoints again and again while it saves: each reading is of one checkpoint, whole, and once there is one there
/// always is.
/// </summary>
internal sealed class ReaderTrials(Scenario[] scenarios, int seed) : Trials(scenarios, seed)
{
    /// <inheritdoc/>
    public override string Name => "readers";

    /// <inheritdoc/>
    protected override string? Do(Trial trial, int number, Random random, out string what)
    {
        Scenario scenario = Scenarios[^1]; // saves each step
        ShimOrder writing = new(trial.Folder) { Delay = random.Next(500, 3000) };
        ShimOrder reading = new(trial.Folder) { Delay = random.Next(1, 1500), Reads = true };
        bool ofBest = number % 3 == 2;
        string[] question = Scenario.Evaluate(ofBest ? trial.Folder : Path.Combine(trial.Folder, RunContents.Last));
        what = $"readings of {(ofBest ? "the best" : "the last")}; writer: {writing}; reader: {reading}";

        IRunning writer = trial.Start(writing, scenario.Train(trial.Folder));
        int saved = 0;
        string? wrong = null;
        while (wrong is null && !writer.HasEnded)
        {
            Outcome read = trial.Run(reading, question);
            wrong = Trial.Judge(scenario, read, saved, ofBest);
            if (wrong is null && read.ExitCode == 0)
                saved = Math.Max(saved, Scenario.LossIn(read).Step);
        }

        Outcome end = writer.Wait();
        if (wrong is not null)
            return wrong;
        return end.ExitCode != 0 ? $"the writer ends: {end}" : trial.Compare(scenario);
    }
}
