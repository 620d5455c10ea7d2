namespace TinyMoE.Web.View.Runs;

/// <summary>
/// Follows a metrics.jsonl that another program writes: takes whole lines as they come, never holds the file, and begins again where the
/// file is another than before. A run that is resumed puts a new file in its place that may be longer than what was read, so the bytes
/// before the place are compared, not lengths alone.
/// </summary>
internal sealed class MetricsTail(string path)
{
    private const int AnchorBytes = 512, ChunkBytes = 1 << 20, LongestLine = 32 << 20;

    private byte[] anchor = [];   // the last bytes before the place
    private byte[] head = [];     // the first bytes of the file
    private long place;           // everything before was taken
    private byte[] buffer = new byte[ChunkBytes];

    /// <summary>Whether the file was there the last time.</summary>
    public bool IsThere { get; private set; }

    /// <summary>When it was written last; null before it was there.</summary>
    public DateTime? WrittenAt { get; private set; }

    /// <summary>Gives the whole lines that came, to what <paramref name="begin"/> makes where it must begin again.</summary>
    /// <param name="metrics">What was read before; replaced where the file is another.</param>
    /// <param name="begin">Makes an empty one.</param>
    /// <returns>Whether something came.</returns>
    public bool Follow(ref RunMetrics metrics, Func<RunMetrics> begin)
    {
        try
        {
            using FileStream file = new(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);
            IsThere = true;
            WrittenAt = File.GetLastWriteTimeUtc(path);
            bool isOther = !IsSame(file);
            if (isOther)
            {
                metrics = begin();
                (place, anchor, head) = (0, [], []);
            }

            return ReadLines(file, metrics) || isOther;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            bool was = IsThere;
            IsThere = false; // what was read stays, and a file that comes back is compared
            return was;
        }
    }

    /// <summary>Begins again the next time.</summary>
    public void Forget() => place = -1;

    private bool IsSame(FileStream file) =>
        place >= 0 && file.Length >= place && Holds(file, 0, head) && Holds(file, place - anchor.Length, anchor);

    private static bool Holds(FileStream file, long at, byte[] bytes)
    {
        byte[] there = new byte[bytes.Length];
        file.Position = at;
        return file.ReadAtLeast(there, there.Length, throwOnEndOfStream: false) == there.Length && there.AsSpan().SequenceEqual(bytes);
    }

    private bool ReadLines(FileStream file, RunMetrics metrics)
    {
        bool came = false;
        file.Position = place;
        int held = 0; // bytes of a line that goes on in the next chunk
        while (file.Read(buffer, held, buffer.Length - held) is > 0 and int read)
        {
            int length = held + read, end = buffer.AsSpan(0, length).LastIndexOf((byte)'\n') + 1;
            if (end > 0)
            {
                Take(metrics, buffer.AsSpan(0, end));
                came = true;
            }

            held = length - end;
            buffer.AsSpan(end, held).CopyTo(buffer);
            if (held == buffer.Length && buffer.Length < LongestLine)
                Array.Resize(ref buffer, 2 * buffer.Length);
            if (held == buffer.Length)
                break; // no such line is of ours
        }

        return came;
    }

    private void Take(RunMetrics metrics, ReadOnlySpan<byte> lines)
    {
        place += lines.Length;
        if (head.Length == 0)
            head = lines[..Math.Min(AnchorBytes, lines.Length)].ToArray();
        anchor = lines[^Math.Min(AnchorBytes, lines.Length)..].ToArray();
        foreach (Range range in lines.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = lines[range].Trim((byte)' ').TrimEnd((byte)'\r');
            if (!line.IsEmpty)
                metrics.Add(line);
        }
    }
}
