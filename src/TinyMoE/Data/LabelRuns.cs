using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace TinyMoE.Data;

/// <summary>The label of every token, kept as runs of the same label: memory by runs, not by tokens.</summary>
internal sealed class LabelRuns
{
    private readonly int[] starts; // the first token of each run, rising from 0
    private readonly int[] labels;

    /// <summary>The labels of these stretches, laid end to end in their order.</summary>
    public LabelRuns(IEnumerable<Stretch> stretches)
    {
        List<int> starts = [], labels = [];
        int end = 0;
        foreach (Stretch stretch in stretches)
        {
            if (stretch.Length > 0 && (labels.Count == 0 || labels[^1] != stretch.Label))
            {
                starts.Add(end);
                labels.Add(stretch.Label);
            }

            end += stretch.Length;
        }

        (this.starts, this.labels) = ([.. starts], [.. labels]);
    }

    /// <summary>Copies the labels of the tokens from <paramref name="start"/> on, as many as the destination has room for.</summary>
    public void CopyTo(int start, Span<int> destination)
    {
        if (destination.IsEmpty)
            return;
        int run = Array.BinarySearch(starts, start);
        if (run < 0)
            run = ~run - 1; // the run that starts before
        for (int done = 0; done < destination.Length; run++)
        {
            int end = run + 1 < starts.Length ? Math.Min(starts[run + 1] - start, destination.Length) : destination.Length;
            destination[done..end].Fill(labels[run]);
            done = end;
        }
    }

    /// <summary>Adds the runs to a hash.</summary>
    public void AppendTo(IncrementalHash hash)
    {
        hash.AppendData(MemoryMarshal.AsBytes<int>(starts));
        hash.AppendData(MemoryMarshal.AsBytes<int>(labels));
    }
}
