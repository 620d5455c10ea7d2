namespace TinyMoE.Campaign;

/// <summary>Two runs in one folder at once, new or resumed: one goes on, the other is refused, and nothing differs afterwards.</summary>
internal sealed class WriterTrials(Scenario[] scenarios, int seed) : Trials(scenarios, seed)
{
    private const int LongestPauseMilliseconds = 100;

    /// <inheritdoc/>
    public override string Name => "writers";

    /// <inheritdoc/>
    protected override string? Do(Trial trial, int number, Random random, out string what)
    {
        Scenario scenario = Scenarios[number % Scenarios.Length];
        bool resumes = number / Scenarios.Length % 2 == 1, isTogether = random.Next(2) == 0;
        if (resumes)
            Folders.Copy(scenario.Stopped, trial.Folder);
        ShimOrder order = new(trial.Folder) { Delay = random.Next(200, 2000) };
        string[] arguments = resumes ? Scenario.Resume(trial.Folder) : scenario.Train(trial.Folder);
        int pause = isTogether ? 0 : random.Next(LongestPauseMilliseconds);
        what = $"'{scenario.Name}', two {(resumes ? "resumed" : "new")}, the second {pause} ms later, {order}";

        IRunning first = trial.Start(order, arguments);
        Thread.Sleep(pause);
        bool overlap = !first.HasEnded;
        IRunning second = trial.Start(order, arguments);
        Outcome[] ends = [first.Wait(), second.Wait()];
        string said = string.Join("; ", ends.Select(end => $"{end}"));
        Outcome[] refused = [.. ends.Where(end => end.ExitCode != 0)];
        if (refused.Select(end => end.BadManners()).FirstOrDefault(bad => bad is not null) is { } bad)
            return bad;
        if (overlap && refused.Length != 1)
            return refused.Length == 0 ? $"both go on: {said}" : $"both are refused: {said}";
        return trial.Compare(scenario) is { } difference ? $"{difference} ({said})" : null;
    }
}
