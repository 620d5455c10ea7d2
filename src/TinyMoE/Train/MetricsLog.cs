using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using TinyMoE.Files;
using TinyMoE.Inspect;

namespace TinyMoE.Train;

/// <summary>
/// Writes <c>metrics.jsonl</c>. Opened at a state of a run, it first drops the lines of later steps, which will be done again, and a line
/// that was cut off. Lines that cannot be written, on a full disk, wait in memory for the next try; no line is ever half in the file.
/// </summary>
internal sealed class MetricsLog : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    private readonly string path;
    private readonly FileStream file;
    private readonly Stopwatch sinceFlush = Stopwatch.StartNew();
    private readonly StringBuilder unwritten = new(); // lines since the last flush

    public MetricsLog(string path, TrainingState state)
    {
        this.path = path;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            AtomicFile.RemoveUnfinished(path);
            byte[] before = state.Step > 0 && File.Exists(path) ? File.ReadAllBytes(path) : [];
            AtomicFile.Write(path, stream => Keep(before, state, stream));
            file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.Read | FileShare.Delete, bufferSize: 0);
            file.Seek(0, SeekOrigin.End);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw Refused(e);
        }
    }

    /// <summary>Adds a step, and from time to time puts the lines into the file; what that refuses it gets with a later flush.</summary>
    public void Write(StepReport report)
    {
        WriteLine(MetricsJson.Line(report));
        if (sinceFlush.Elapsed > Longest)
            _ = TryPut();
    }

    public void Write(EvalReport report, IEnumerable<RoutingReport> routing, IEnumerable<WarningReport> warnings)
    {
        WriteLine(MetricsJson.Line(report));
        foreach (RoutingReport layer in routing)
            WriteLine(MetricsJson.Line(layer));
        foreach (WarningReport warning in warnings)
            WriteLine(MetricsJson.Line(warning));
        _ = TryPut();
    }

    public void Write(NoteReport report) => WriteLine(MetricsJson.Line(report));

    public void Write(MemoryReport report) => WriteLine(MetricsJson.Line(report));

    /// <summary>Puts the lines on disk; before every checkpoint, so that no checkpoint is ahead of its metrics.</summary>
    /// <exception cref="StorageException">The file system refuses; the lines wait for the next flush.</exception>
    public void Flush()
    {
        if (TryPut() is { } refused)
            throw Refused(refused);
        try
        {
            file.Flush(flushToDisk: true);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw Refused(e);
        }
    }

    public void Dispose()
    {
        _ = TryPut();
        file.Dispose();
    }

    /// <summary>Whether a run that goes on from a state has written this line before; what it will write again is dropped.</summary>
    private static bool IsOf(TrainingState state, ReadOnlyMemory<byte> line)
    {
        if (!Utf8.IsValid(line.Span))
            return false;
        try
        {
            using JsonDocument json = JsonDocument.Parse(line);
            bool isOfEvaluation = json.RootElement.GetProperty("kind").GetString() is "eval" or "routing" or "warning";
            int last = isOfEvaluation ? state.EvaluatedStep ?? state.Step : state.Step;
            return json.RootElement.GetProperty("step").GetInt32() <= last;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }

    /// <summary>Writes those of the lines that are of a state, as they are.</summary>
    private static void Keep(ReadOnlyMemory<byte> lines, TrainingState state, Stream stream)
    {
        while (!lines.IsEmpty)
        {
            int length = lines.Span.IndexOf((byte)'\n') is >= 0 and int found ? found : lines.Length;
            if (IsOf(state, lines[..length]))
            {
                stream.Write(lines.Span[..length]);
                stream.WriteByte((byte)'\n');
            }

            lines = lines[Math.Min(length + 1, lines.Length)..];
        }
    }

    private void WriteLine(string line) => unwritten.Append(line).Append('\n');

    /// <summary>Puts the lines into the file, all or none; null, or why it refuses them.</summary>
    private Exception? TryPut()
    {
        sinceFlush.Restart();
        if (unwritten.Length == 0)
            return null;
        long end = file.Position;
        try
        {
            file.Write(Encoding.UTF8.GetBytes(unwritten.ToString()));
            unwritten.Clear();
            return null;
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            TakeBack(end);
            return e;
        }
    }

    /// <summary>Cuts off what a refused write has left.</summary>
    private void TakeBack(long end)
    {
        try
        {
            file.SetLength(end);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            // The next write begins at the same place, so the part is written over.
        }

        file.Position = end;
    }

    private StorageException Refused(Exception e) =>
        new($"Cannot write {path}: {FileProblem.Reason(e)}. Make room, or give another --out.", e);
}
