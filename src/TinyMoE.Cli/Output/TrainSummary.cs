using TinyMoE.App;
using TinyMoE.Train;

namespace TinyMoE.Cli.Output;

/// <summary>Says after training where the model is, and what to type next.</summary>
internal static class TrainSummary
{
    public static void Finished(TextWriter output, TrainingRequest request, TrainingResult result, TextSample sample, TimeSpan time)
    {
        string folder = Typed.Path(request.Folder);
        output.WriteLine();
        output.WriteLine($"{result.Step} steps done, this time in {Words.Of(time)}; the model is in {Words.OneLine(request.Folder)}");
        output.WriteLine(Words.Best(result.BestLoss, result.BestBitsPerByte, result.BestStep));
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
        string prompt = sample.Prompt is null ? "" : Typed.Option("--prompt", sample.Prompt);
        string label = sample.Label is null ? "" : Typed.Option("--label", sample.Label);
        output.WriteLine($"  {Typed.Program} generate --run {folder}{prompt}{label}");
        output.WriteLine($"  {Typed.Program} eval --run {folder}");
        output.WriteLine($"  {Typed.Program} info --run {folder}");
    }

    public static void Stopped(TextWriter output, TrainingRequest request, TrainingResult result)
    {
        string folder = Words.OneLine(request.Folder);
        output.WriteLine(Words.Of(result.Memory));
        string where = result.Step == 0 ? "before the first step" : $"after step {result.Step} of {request.Config.Train.Steps}";
        output.WriteLine($"stopped {where} and saved in {folder}; go on with:");
        WriteResume(output, request);
    }

    /// <summary>For a run that was stopped while its text was read.</summary>
    public static void NothingDone(TextWriter output, TrainingRequest request)
    {
        if (!request.Resume)
        {
            output.WriteLine("stopped while the text was read: nothing was trained, and nothing is saved");
            return;
        }

        output.WriteLine($"stopped while the text was read: the run in {Words.OneLine(request.Folder)} is as it was; go on with:");
        WriteResume(output, request);
    }

    private static void WriteResume(TextWriter output, TrainingRequest request) => output.WriteLine(
        $"  {Typed.Program} train --resume --out {Typed.Path(request.Folder)}{DeviceOptions.Again(request.Device)}");
}
