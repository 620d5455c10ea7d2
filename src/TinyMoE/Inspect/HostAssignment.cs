using TinyMoE.Backends;
using TinyMoE.Moe;

namespace TinyMoE.Inspect;

/// <summary>The rows of an assignment on the host: the gate and the expert of each (rows), and which are whose.</summary>
internal readonly struct HostAssignment
{
    private readonly int[] tokenOffsets, rowsByToken;

    /// <summary>Reads them; waits for the device.</summary>
    public HostAssignment(Assignment assignment)
    {
        Backend backend = assignment.Gates.Tape.Backend;
        (tokenOffsets, rowsByToken) = (backend.Read(assignment.TokenOffsets), backend.Read(assignment.RowsByToken));
        Gates = assignment.Gates.ToArray();
        Experts = new int[Gates.Length];
        int[] offsets = backend.Read(assignment.Offsets);
        for (int e = 0; e < assignment.Experts; e++)
            Experts.AsSpan(offsets[e]..offsets[e + 1]).Fill(e);
    }

    /// <summary>The gate of each row (rows).</summary>
    public float[] Gates { get; }

    /// <summary>The expert of each row (rows).</summary>
    public int[] Experts { get; }

    /// <summary>The rows of a token.</summary>
    public ReadOnlySpan<int> RowsOf(int token) => rowsByToken.AsSpan(tokenOffsets[token]..tokenOffsets[token + 1]);
}
