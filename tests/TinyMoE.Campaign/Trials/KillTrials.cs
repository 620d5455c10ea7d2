namespace TinyMoE.Campaign;

/// <summary>
/// Kills a run before, in the middle of and after every call that it makes to the file system, and many of them again while they are
/// resumed; then goes on with it. With <paramref name="power"/> the machine goes off instead: what was written and not flushed is gone.
/// </summary>
internal sealed class KillTrials(Scenario[] scenarios, int seed, bool power) : Trials(scenarios, seed)
{
    private const int MostKills = 4;

    private readonly Cell[] cells = [.. Cells(scenarios)];

    /// <inheritdoc/>
    public override string Name => power ? "power" : "kill";

    /// <inheritdoc/>
    protected override string? Do(Trial trial, int number, Random random, out string what)
    {
        Cell cell = cells[Spread(number, cells.Length)];
        Scenario scenario = cell.Scenario;
        ShimOrder order = new(trial.Folder) { At = cell.At, Act = cell.Act, Log = power ? trial.Folder + ".log" : null };
        what = $"'{scenario.Name}', {(cell.Rest ? "resumed" : "new")}, {order} ({cell.Call})";
        if (cell.Rest)
            Folders.Copy(scenario.Stopped, trial.Folder);
        Outcome killed = trial.Run(order, cell.Rest ? Scenario.Resume(trial.Folder) : scenario.Train(trial.Folder));
        if (killed.ExitCode != Outcome.Killed)
            return $"it was not killed: {killed}";
        if (power)
            what += $", without {Unflushed.Lose(order.Log!)}";

        int saved = scenario.SavedBefore(cell.Act == Act.KillAfter ? cell.At + 1 : cell.At, cell.Rest, reads: false);
        int kills = number < cells.Length && random.Next(3) > 0 ? 1 : random.Next(2, MostKills + 1);
        for (int i = 1; i < kills; i++)
        {
            ShimOrder again = order with { At = random.Next(1, scenario.Calls(rest: true, reads: false).Count / 2), Act = AnyKill(random) };
            what += $", {again}";
            Outcome ended = trial.Run(again, Scenario.Resume(trial.Folder));
            if (power)
                what += $", without {Unflushed.Lose(order.Log!)}";
            if (ended.ExitCode is not (0 or Outcome.Killed) && ended.BadManners() is { } bad)
                return bad;
        }

        if (number % 2 == 1 && trial.Read(scenario, saved, ofBest: number % 4 == 3) is { } wrong)
            return wrong;
        return trial.Finish(scenario, saved);
    }

    private static Act AnyKill(Random random) => (Act)random.Next((int)Act.KillBefore, (int)Act.KillAfter + 1);

    private static IEnumerable<Cell> Cells(Scenario[] scenarios) =>
        from scenario in scenarios
        from rest in (bool[])[false, true]
        from call in scenario.Calls(rest, reads: false)
        from act in (Act[])[Act.KillBefore, Act.KillMid, Act.KillAfter]
        where act != Act.KillMid || call.Name.Contains("write", StringComparison.Ordinal)
        select new Cell(scenario, rest, call.Number, act, $"{call.Name} {Path.GetFileName(call.Path)}");

    private sealed record Cell(Scenario Scenario, bool Rest, int At, Act Act, string Call);
}
