using System.Text.Json;
using TinyMoE.Files;

namespace TinyMoE.Train;

/// <summary>Appends to <c>metrics.jsonl</c>. Opened after step s, it first drops the lines of later steps and a line that was cut off: those steps will be done again.</summary>
internal sealed class MetricsLog : IDisposable
{
    private readonly StreamWriter writer;

    public MetricsLog(string path, int step)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            string[] kept = step > 0 && File.Exists(path) ? [.. File.ReadLines(path).Where(line => StepOf(line) <= step)] : [];
            AtomicFile.WriteText(path, string.Concat(kept.Select(line => line + "\n")));
            writer = new StreamWriter(path, append: true);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot write {path}: {FileProblem.Reason(e)}. Give another --out.", e);
        }
    }

    public void Write(StepReport report) => WriteLine(MetricsJson.Line(report));

    public void Write(EvalReport report)
    {
        WriteLine(MetricsJson.Line(report));
        writer.Flush();
    }

    public void Write(RoutingReport report) => WriteLine(MetricsJson.Line(report));

    public void Dispose() => writer.Dispose();

    private static int StepOf(string line)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(line);
            return json.RootElement.GetProperty("step").GetInt32();
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return int.MaxValue;
        }
    }

    private void WriteLine(string line) => writer.Write(line + "\n");
}
