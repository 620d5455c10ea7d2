using TinyMoE.Train;

namespace TinyMoE.Cli.Output;

/// <summary>What is said after training: where the model is, and what to type next.</summary>
internal static class TrainSummary
{
    public static void Finished(TextWriter output, TrainOptions options, TrainingResult result, string sample, TimeSpan time, string? label = null)
    {
        string run = Words.Quoted(options.Folder);
        output.WriteLine();
        output.WriteLine($"{result.Step} steps done, this time in {Words.Of(time)}; the model is in {options.Folder}");
        output.WriteLine($"best validation loss {result.BestLoss:F4}, at step {result.BestStep}");
        output.WriteLine(Words.Of(result.Memory));
        if (sample.Length > 0)
        {
            output.WriteLine();
            output.WriteLine("It writes:");
            foreach (string line in sample.TrimEnd().Split('\n'))
                output.WriteLine($"  {line.TrimEnd()}".TrimEnd());
        }
        output.WriteLine();
        output.WriteLine("Go on with:");
        output.WriteLine($"  {Words.Program} generate --run {run} --prompt \"The \"{(label is null ? "" : $" --label {Words.Quoted(label)}")}");
        output.WriteLine($"  {Words.Program} eval --run {run}");
        output.WriteLine($"  {Words.Program} info --run {run}");
    }

    public static void Stopped(TextWriter output, TrainOptions options, TrainingResult result)
    {
        output.WriteLine(Words.Of(result.Memory));
        output.WriteLine($"stopped after step {result.Step} of {options.Config.Train.Steps} and saved in {options.Folder}; go on with:");
        output.WriteLine($"  {Words.Program} train --resume --out {Words.Quoted(options.Folder)}{options.Device.Arguments}");
    }
}
