using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace TinyMoE.Campaign;

/// <summary>The command line of the campaign.</summary>
internal static class Program
{
    /// <summary>The word that makes this program a server of the campaign: with the shim and the folder of the results.</summary>
    public const string Serve = "serve";

    private const int MostShown = 20;

    public static int Main(string[] args)
    {
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        return args is [Serve, string shim, string folder] ? Server.Serve(shim, () => WarmUp(folder)) : Command().Parse(args).Invoke();
    }

    /// <summary>What the servers run is compiled by running it: a run, its resumption, its evaluation and a failure.</summary>
    private static void WarmUp(string folder)
    {
        string place = Path.Combine(folder, "warm");
        Scenario scenario = Scenario.ToWarmUp(folder);
        foreach (string[] arguments in (string[][])
            [
                [.. scenario.Train(place), "--stop-at", "3"], Scenario.Resume(place), Scenario.Evaluate(place), scenario.Train(place),
                Scenario.Evaluate(folder),
            ])
        {
            Cli.Cli.Run(arguments, TextWriter.Null, TextWriter.Null);
        }

        Folders.Delete(place);
    }

    private static RootCommand Command()
    {
        CampaignOptions defaults = new();
        Option<double> minutes = new("--minutes") { Description = "How long to try.", DefaultValueFactory = _ => defaults.Minutes };
        Option<int> trials = new("--trials")
        {
            Description = "The most trials of each kind.",
            DefaultValueFactory = _ => defaults.Trials,
        };
        Option<int> first = new("--first") { Description = "The number of the first trial." };
        Option<int> seed = new("--seed") { Description = "The seed of the trials.", DefaultValueFactory = _ => defaults.Seed };
        Option<int> atOnce = new("--at-once") { Description = "Trials at a time.", DefaultValueFactory = _ => defaults.AtOnce };
        Option<string[]> kinds = new("--kind") { Description = "Kinds of trials; all if not said.", AllowMultipleArgumentsPerToken = true };
        kinds.AcceptOnlyFromAmong([.. CampaignRun.AllKinds]);
        Option<bool> keep = new("--keep") { Description = "Keep the folders of lost trials." };
        Option<bool> fresh = new("--fresh") { Description = "Start the built command for each run, instead of forking." };
        Option<string?> command = new("--command") { Description = "The built command to start, tinymoe or tinymoe.dll; with --fresh." };
        RootCommand root = new("Disturbs tinymoe's runs: kills them, refuses their calls to the file system, lets others read and write.")
        {
            minutes, trials, first, seed, atOnce, kinds, keep, fresh, command,
        };
        root.SetAction(parsed => Run(new CampaignOptions
        {
            Minutes = parsed.GetValue(minutes),
            Trials = parsed.GetValue(trials),
            First = parsed.GetValue(first),
            Seed = parsed.GetValue(seed),
            AtOnce = parsed.GetValue(atOnce),
            Kinds = parsed.GetValue(kinds) ?? [],
            Keep = parsed.GetValue(keep),
            Command = parsed.GetValue(command) ?? (parsed.GetValue(fresh) ? ProgramFiles.Command : null),
        }));
        return root;
    }

    private static int Run(CampaignOptions options)
    {
        if (Shim.WhyNot is { } reason)
        {
            Console.WriteLine($"The campaign is skipped: {reason}.");
            return 0;
        }

        Stopwatch clock = Stopwatch.StartNew();
        using CampaignRun campaign = new(options);
        Console.WriteLine($"ready after {clock.Elapsed.TotalSeconds:F1} s");
        IReadOnlyList<KindResult> results = campaign.Run();
        Console.WriteLine("kind        trials      runs   per minute   left over    lost");
        foreach (KindResult result in results)
        {
            double rate = result.Trials / result.Seconds * 60;
            Console.WriteLine(
                $"{result.Kind,-10}{result.Trials,8}{result.Runs,10}{rate,13:F0}{result.LeftOver,12}{result.Lost.Count,8}");
        }

        foreach (KindResult result in results)
            Tell(result, options);
        return results.Any(result => result.Lost.Count > 0) ? 1 : 0;
    }

    private static void Tell(KindResult result, CampaignOptions options)
    {
        foreach ((int number, Verdict verdict) in result.Lost.OrderBy(lost => lost.Key).Take(MostShown))
        {
            Console.WriteLine($"lost: {verdict.What}: {verdict.Lost}");
            string fresh = options.Command is null ? "" : " --fresh";
            Console.WriteLine($"      again: --kind {result.Kind} --seed {options.Seed} --first {number} --trials 1 --at-once 1{fresh}");
        }
    }
}
