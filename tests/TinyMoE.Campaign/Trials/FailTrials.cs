namespace TinyMoE.Campaign;

/// <summary>
/// Refuses every call that a run makes to the file system, once or from there to the end, for each reason there is. The run must be the
/// undisturbed one, or say in a line what failed and be it once it is resumed.
/// </summary>
internal sealed class FailTrials(Scenario[] scenarios, int seed) : Trials(scenarios, seed)
{
    private readonly Cell[] cells = [.. Cells(scenarios)];

    /// <inheritdoc/>
    public override string Name => "fail";

    /// <inheritdoc/>
    protected override string? Do(Trial trial, int number, Random random, out string what)
    {
        Cell cell = cells[Spread(number, cells.Length)];
        Scenario scenario = cell.Scenario;
        ShimOrder order = new(trial.Folder)
        {
            Reads = true,
            At = cell.At,
            Act = cell.Act,
            Refusal = cell.Refusal,
            ToTheEnd = cell.ToTheEnd,
        };
        what = $"'{scenario.Name}', {(cell.Rest ? "resumed" : "new")}, {order} ({cell.Call})";
        if (cell.Rest)
            Folders.Copy(scenario.Stopped, trial.Folder);
        Outcome ended = trial.Run(order, cell.Rest ? Scenario.Resume(trial.Folder) : scenario.Train(trial.Folder));
        if (ended.ExitCode == 0)
            return trial.Compare(scenario) is { } difference ? $"it ends well, but {difference}{Said(ended)}" : null;
        if (ended.BadManners() is { } bad)
            return bad;

        int saved = scenario.SavedBefore(cell.At, cell.Rest, reads: true);
        return (trial.Read(scenario, saved, ofBest: false) ?? trial.Finish(scenario, saved)) is { } lost ? $"{lost}{Said(ended)}" : null;
    }

    private static string Said(Outcome ended) => $" (the disturbed run: {ended})";

    private static IEnumerable<Cell> Cells(Scenario[] scenarios) =>
        from scenario in scenarios
        from rest in (bool[])[false, true]
        from call in scenario.Calls(rest, reads: true)
        from refusal in (Refusal[])[Refusal.ENOSPC, Refusal.EIO, Refusal.EACCES, Refusal.EMFILE]
        from act in (Act[])[Act.Fail, Act.Short]
        where act != Act.Short || call.Name.Contains("write", StringComparison.Ordinal)
        from toTheEnd in (bool[])[false, true]
        select new Cell(scenario, rest, call.Number, act, refusal, toTheEnd, $"{call.Name} {Path.GetFileName(call.Path)}");

    private sealed record Cell(Scenario Scenario, bool Rest, int At, Act Act, Refusal Refusal, bool ToTheEnd, string Call);
}
