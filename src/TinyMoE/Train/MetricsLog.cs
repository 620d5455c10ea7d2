using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using TinyMoE.Files;
using TinyMoE.Inspect;

namespace TinyMoE.Train;

/// <summary>
/// Writes <c>metrics.jsonl</c>. Opened after step s, it first drops the lines of later steps and a line that was cut off: those steps will
/// be done again.
/// </summary>
internal sealed class MetricsLog : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    private readonly string path;
    private readonly Stopwatch sinceFlush = Stopwatch.StartNew();
    private readonly StringBuilder unwritten = new(); // lines since the last flush

    public MetricsLog(string path, int step)
    {
        this.path = path;
        Guarded(() =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            byte[] before = step > 0 && File.Exists(path) ? File.ReadAllBytes(path) : [];
            AtomicFile.Write(path, file => Keep(before, step, file));
        });
    }

    public void Write(StepReport report)
    {
        WriteLine(MetricsJson.Line(report));
        if (sinceFlush.Elapsed > Longest)
            Flush();
    }

    public void Write(EvalReport report, IEnumerable<RoutingReport> routing, IEnumerable<WarningReport> warnings)
    {
        WriteLine(MetricsJson.Line(report));
        foreach (RoutingReport layer in routing)
            WriteLine(MetricsJson.Line(layer));
        foreach (WarningReport warning in warnings)
            WriteLine(MetricsJson.Line(warning));
        Flush();
    }

    public void Write(NoteReport report) => WriteLine(MetricsJson.Line(report));

    public void Write(MemoryReport report) => WriteLine(MetricsJson.Line(report));

    /// <summary>Puts the lines on disk; before every checkpoint, so that no checkpoint is ahead of its metrics.</summary>
    public void Flush()
    {
        Guarded(() =>
        {
            using FileStream file = new(path, FileMode.Append, FileAccess.Write);
            file.Write(Encoding.UTF8.GetBytes(unwritten.ToString()));
            file.Flush(flushToDisk: true); // or a power failure leaves a checkpoint that is ahead of its metrics
        });
        unwritten.Clear();
        sinceFlush.Restart();
    }

    public void Dispose()
    {
        if (unwritten.Length > 0)
            Flush();
    }

    /// <summary>The lines up to a step, as they are, byte by byte.</summary>
    private static void Keep(byte[] lines, int step, Stream file)
    {
        int start = 0;
        while (start < lines.Length)
        {
            int length = lines.AsSpan(start).IndexOf((byte)'\n') is >= 0 and int found ? found : lines.Length - start;
            ReadOnlyMemory<byte> line = lines.AsMemory(start, length);
            if (StepOf(line) <= step)
            {
                file.Write(line.Span);
                file.WriteByte((byte)'\n');
            }

            start += length + 1;
        }
    }

    private static int StepOf(ReadOnlyMemory<byte> line)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(line);
            return !Utf8.IsValid(line.Span) ? int.MaxValue : json.RootElement.GetProperty("step").GetInt32();
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return int.MaxValue;
        }
    }

    private void WriteLine(string line) => unwritten.Append(line).Append('\n');

    private void Guarded(Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            unwritten.Clear();                                   // or Dispose would try again and hide this error
            throw new TinyMoEException($"Cannot write {path}: {FileProblem.Reason(e)}. Make room, or give another --out; the last "
                + "checkpoint is kept and --resume goes on from it.", e);
        }
    }
}
