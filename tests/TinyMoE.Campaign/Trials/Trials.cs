namespace TinyMoE.Campaign;

/// <summary>How a trial ended.</summary>
/// <param name="What">What was done.</param>
/// <param name="Lost">What was lost; null: nothing.</param>
/// <param name="Left">What lies about afterwards that an undisturbed run does not leave; empty: nothing.</param>
/// <param name="Runs">How many runs of the command it took.</param>
internal sealed record Verdict(string What, string? Lost, string Left, int Runs);

/// <summary>A kind of trial. Trials have numbers: a seed and a number always are the same trial.</summary>
internal abstract class Trials(Scenario[] scenarios, int seed)
{
    /// <summary>What it is called on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>The runs to disturb.</summary>
    protected Scenario[] Scenarios => scenarios;

    /// <summary>Does a trial, in a folder that is not there.</summary>
    public Verdict Do(IRunner runner, string folder, int number)
    {
        Trial trial = new(runner, folder);
        string what = "";
        string? lost;
        try
        {
            lost = Do(trial, number, new Random((seed * 1_000_003) ^ number), out what);
        }
        catch (Exception e) when (e is IOException or TinyMoEException or System.Text.Json.JsonException)
        {
            lost = $"{e.GetType().Name}: {e.Message}";
        }

        return new Verdict(what, lost, trial.Left, trial.Runs);
    }

    /// <summary>Does a trial, says what it is, and what was lost.</summary>
    protected abstract string? Do(Trial trial, int number, Random random, out string what);

    /// <summary>Number <paramref name="number"/> of <paramref name="count"/>, in an order that is spread over all from the start.</summary>
    protected static int Spread(int number, int count)
    {
        int stride = Math.Max(1, (int)(count * 0.618));
        while (Gcd(stride, count) != 1)
            stride++;
        return (int)((long)number * stride % count);
    }

    private static int Gcd(int a, int b) => b == 0 ? a : Gcd(b, a % b);
}

/// <summary>A trial in its folder: what kinds of trials share.</summary>
internal sealed class Trial(IRunner runner, string folder)
{
    /// <summary>The folder of the run.</summary>
    public string Folder => folder;

    /// <summary>How many runs it has taken.</summary>
    public int Runs { get; private set; }

    /// <summary>What lies about at the end.</summary>
    public string Left { get; private set; } = "";

    /// <summary>Starts the command.</summary>
    public IRunning Start(ShimOrder order, string[] arguments)
    {
        Runs++;
        return runner.Start(order, arguments);
    }

    /// <summary>Runs the command to its end.</summary>
    public Outcome Run(ShimOrder order, string[] arguments) => Start(order, arguments).Wait();

    /// <summary>
    /// Asks for the loss of what is in the folder, as a person does after a crash: it must be that of the step that it names, and that
    /// step no earlier than <paramref name="saved"/>; where that is 0 there may be none.
    /// </summary>
    public string? Read(Scenario scenario, int saved, bool ofBest)
    {
        Outcome evaluated = Run(new ShimOrder(folder), Scenario.Evaluate(ofBest ? folder : Path.Combine(folder, RunContents.Last)));
        return Judge(scenario, evaluated, saved, ofBest);
    }

    /// <summary>What is wrong with what an evaluation said; null: nothing.</summary>
    public static string? Judge(Scenario scenario, Outcome evaluated, int saved, bool ofBest)
    {
        if (evaluated.ExitCode != 0)
            return evaluated.BadManners() ?? (saved > 0 ? $"step {saved} was saved, and is not read: {evaluated}" : null);
        (int step, double loss) = Scenario.LossIn(evaluated);
        if (!scenario.Losses.TryGetValue(step, out double right) || loss != right)
            return $"the checkpoint says that it is of step {step}, and has loss {loss:R} instead of {right:R}";
        return step < saved && !ofBest ? $"step {saved} was saved, and step {step} is read" : null;
    }

    /// <summary>
    /// Goes on with the run undisturbed, from step <paramref name="saved"/> or later; where that is 0 it may have to begin anew. In the end
    /// it must be the run that was never disturbed.
    /// </summary>
    public string? Finish(Scenario scenario, int saved)
    {
        Outcome resumed = Run(new ShimOrder(folder), Scenario.Resume(folder));
        if (resumed.ExitCode == 0)
        {
            int from = FirstStep(resumed) - 1;
            if (from < saved)
                return $"step {saved} was saved, and the run goes on from step {from}";
        }
        else
        {
            if (resumed.BadManners() is { } bad)
                return $"resuming: {bad}";
            if (saved > 0)
                return $"step {saved} was saved, and the run cannot be resumed: {resumed}";
            Outcome anew = Run(new ShimOrder(folder), scenario.Train(folder));
            if (anew.ExitCode != 0 && anew.Error.Contains("--overwrite", StringComparison.Ordinal)) // evaluated, and refused every save
                anew = Run(new ShimOrder(folder), [.. scenario.Train(folder), "--overwrite"]);
            if (anew.ExitCode != 0)
                return $"there is no run to resume, and none can begin: {resumed}; {anew}";
        }

        return Compare(scenario);
    }

    /// <summary>What differs from the run that was never disturbed.</summary>
    public string? Compare(Scenario scenario)
    {
        RunContents files = RunContents.Of(folder);
        Left = string.Join(", ", files.Others.Except(scenario.Undisturbed.Others));
        return files.DifferenceTo(scenario.Undisturbed);
    }

    /// <summary>The first step that a run did; the one after the last where it did none.</summary>
    private static int FirstStep(Outcome outcome)
    {
        const string Start = "{\"kind\":\"train\",\"step\":";
        string? line = Array.Find(outcome.Output.Split('\n'), line => line.StartsWith(Start, StringComparison.Ordinal));
        return line is null ? Scenario.Steps + 1
            : int.Parse(line[Start.Length..line.IndexOf(',', Start.Length)], System.Globalization.CultureInfo.InvariantCulture);
    }
}
