using System.Text.Json;
using TinyMoE.Families;
using TinyMoE.Files;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>What was found of a checkpoint.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Step">How many steps it was trained; null where that cannot be read.</param>
/// <param name="HasChecksums">False for one that a version before checksums has written: what of it can be checked is.</param>
/// <param name="Problems">What is wrong, one line each.</param>
public sealed record CheckpointFinding(string Folder, int? Step, bool HasChecksums, IReadOnlyList<string> Problems);

/// <summary>What was found of a run.</summary>
/// <param name="Checkpoints">Its checkpoints.</param>
/// <param name="Problems">What is wrong with the run besides, one line each.</param>
public sealed record VerifyReport(IReadOnlyList<CheckpointFinding> Checkpoints, IReadOnlyList<string> Problems)
{
    /// <summary>Whether nothing is wrong.</summary>
    public bool IsWhole => Problems.Count == 0 && Checkpoints.All(checkpoint => checkpoint.Problems.Count == 0);
}

/// <summary>Checks the files of a run, without a device: checksums, contents, what belongs together.</summary>
public static class Verifying
{
    /// <summary>
    /// Checks all that is in the folder of a run, or of a checkpoint; or a model of others: that its files belong together, and that all
    /// values of its weights are finite.
    /// </summary>
    /// <exception cref="TinyMoEException">There is none.</exception>
    public static VerifyReport Run(ModelFolder model) => model.IsRun ? OfRun(model.Path) : new VerifyReport([OfHub(model.Path)], []);

    private static CheckpointFinding OfHub(string folder)
    {
        if (!Directory.Exists(folder))
            throw new TinyMoEException($"There is no folder {folder}: give the folder of a model, with its config.json");
        try
        {
            using HubModel hub = HubModel.Open(folder);
            hub.CheckValues();
            if (TokenizerFiles.AreIn(folder))
                _ = TokenizerFiles.Open(folder);
            return new CheckpointFinding(folder, Step: null, HasChecksums: true, []);
        }
        catch (TinyMoEException e)
        {
            return new CheckpointFinding(folder, Step: null, HasChecksums: true, [e.Message]);
        }
    }

    private static VerifyReport OfRun(string folder)
    {
        RunFolder run = new(folder);
        string[] folders = [.. new[] { run.Best, run.Last }.Where(Checkpoint.IsThere), .. run.AllKept];
        if (folders.Length == 0)
            folders = [RunFolder.FindCheckpoint(folder)];
        CheckpointFinding[] findings = [.. folders.Select(Examine)];
        return new VerifyReport(findings, [.. Apart(findings), .. Path.Exists(run.Metrics) ? WrongLines(run.Metrics) : []]);
    }

    private static CheckpointFinding Examine(string folder)
    {
        IReadOnlyList<string> problems = CheckpointDamage.Find(folder);
        try
        {
            using Checkpoint checkpoint = Checkpoint.Open(folder);
            return new CheckpointFinding(folder, checkpoint.Step, checkpoint.HasChecksums, problems);
        }
        catch (TinyMoEException e)
        {
            return new CheckpointFinding(folder, null, HasChecksums: true, problems.Count > 0 ? problems : [e.Message]);
        }
    }

    /// <summary>Checkpoints side by side must be of one run.</summary>
    private static IEnumerable<string> Apart(IReadOnlyList<CheckpointFinding> findings)
    {
        if (findings.Count < 2 || findings.Any(finding => finding.Step is null))
            yield break;
        using Checkpoint one = Checkpoint.Open(findings[0].Folder), other = Checkpoint.Open(findings[1].Folder);
        if (one.Apart(other) is { } problem)
            yield return problem;
    }

    private static IEnumerable<string> WrongLines(string path)
    {
        if ((Directory.Exists(path) ? "a folder" : FilePlace.NotRegular(path)) is { } what)
        {
            yield return $"{path} is not a regular file but {what}";
            yield break;
        }

        int number = 0, step = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (StepOf(line) is not { } next || next < step)
            {
                yield return $"{path}, line {number}, is not a line of metrics that may come here";
                yield break;
            }

            step = next;
        }
    }

    private static int? StepOf(string line)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(line);
            return json.RootElement.GetProperty("step").GetInt32();
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }
}
