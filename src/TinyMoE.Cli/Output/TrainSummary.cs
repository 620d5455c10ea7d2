using TinyMoE.App;
using TinyMoE.Train;

namespace TinyMoE.Cli.Output;

/// <summary>Says after training where the model is, and what to type next.</summary>
internal static class TrainSummary
{
    public static void Finished(TextWriter output, TrainingRequest request, TrainingResult result, TextSample sample, TimeSpan time)
    {
        string run = Words.Quoted(request.Folder);
        output.WriteLine();
        output.WriteLine($"{result.Step} steps done, this time in {Words.Of(time)}; the model is in {request.Folder}");
        output.WriteLine($"best validation loss {result.BestLoss:F4}, at step {result.BestStep}");
        output.WriteLine(Words.Of(result.Memory));
        if (sample.Text.Length > 0)
        {
            output.WriteLine();
            output.WriteLine("It writes:");
            foreach (string line in sample.Text.TrimEnd().Split('\n'))
                output.WriteLine($"  {line.TrimEnd()}".TrimEnd());
        }
        output.WriteLine();
        output.WriteLine("Go on with:");
        string label = sample.Label is null ? "" : $" --label {Words.Quoted(sample.Label)}";
        output.WriteLine($"  {Words.Program} generate --run {run} --prompt \"The \"{label}");
        output.WriteLine($"  {Words.Program} eval --run {run}");
        output.WriteLine($"  {Words.Program} info --run {run}");
    }

    public static void Stopped(TextWriter output, TrainingRequest request, TrainingResult result)
    {
        output.WriteLine(Words.Of(result.Memory));
        output.WriteLine($"stopped after step {result.Step} of {request.Config.Train.Steps} and saved in {request.Folder}; go on with:");
        output.WriteLine($"  {Words.Program} train --resume --out {Words.Quoted(request.Folder)}{DeviceOptions.Again(request.Device)}");
    }
}
