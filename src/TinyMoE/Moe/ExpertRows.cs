using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>
/// What the experts of a layer gave for its tokens, kept for passes in which the same tokens go elsewhere: what an expert gives for a token
/// does not depend on the gate, nor on who else is there, so only pairs of token and expert that are new are computed.
/// </summary>
internal sealed class ExpertRows
{
    private readonly Tape tape;
    private readonly int experts, C;
    private readonly int[] rowOf;                                // (N, E), the kept row of each pair; −1: none
    private readonly int kept;
    private readonly Values memory;                              // the kept rows, and behind them room for as many as a pass can need

    /// <summary>Keeps rows (rows, C) of an assignment, as long as the tape that they are on.</summary>
    public ExpertRows(Tensor rows, Assignment assignment)
    {
        (tape, experts, C, kept) = (rows.Tape, assignment.Experts, rows.Shape.Last, rows.Shape[0]);
        Backend backend = tape.Backend;
        rowOf = new int[assignment.TokenCount * experts];
        Array.Fill(rowOf, -1);
        foreach ((int row, int pair) in Pairs(backend, assignment))
            rowOf[pair] = row;
        memory = tape.Saved(2 * kept * C, rows.Type);
        backend.Affine(rows.Values, 1f, 0f, rows.Count, memory.Slice(0, rows.Count));
    }

    /// <summary>
    /// The rows of another assignment of the same tokens, with no more rows than the one that is kept; those that are not there come from
    /// <paramref name="compute"/>. result (rows, C).
    /// </summary>
    public Tensor For<TState>(Assignment wanted, TState state, Func<Assignment, TState, Tensor> compute)
    {
        Backend backend = tape.Backend;
        Tape current = wanted.Gates.Tape;
        (int Row, int Pair)[] pairs = [.. Pairs(backend, wanted)];
        int[] missing = [.. pairs.Where(pair => rowOf[pair.Pair] < 0).Select(pair => pair.Pair).Order()];
        Dictionary<int, int> added = [];
        if (missing.Length > 0)
        {
            Assignment more = Alone(current, wanted.TokenCount, missing);
            Tensor computed = compute(more, state);
            backend.Affine(computed.Values, 1f, 0f, computed.Count, memory.Slice(kept * C, computed.Count));
            foreach ((int row, int pair) in Pairs(backend, more))
                added[pair] = kept + row;
        }

        int sources = kept + missing.Length;
        int[] from = new int[wanted.Rows];                       // the source of each row; −1 of one that is unassigned
        Array.Fill(from, -1);
        foreach ((int row, int pair) in pairs)
            from[row] = rowOf[pair] >= 0 ? rowOf[pair] : added[pair];
        (int[] offsets, int[] bySource) = Inverse(from, sources);
        Tensor all = current.Borrow((sources, C), memory.Slice(0, sources * C));
        return all.Dispatch(current.Ints(from), current.Ints(offsets), current.Ints(bySource));
    }

    /// <summary>These pairs of token and expert alone, in the order of tokens, as an assignment.</summary>
    private Assignment Alone(Tape current, int N, int[] pairs)
    {
        int K = pairs.GroupBy(pair => pair / experts).Max(token => token.Count());
        int[] choices = new int[N * K], counts = new int[N];
        Array.Fill(choices, -1);
        foreach (int pair in pairs)
        {
            int token = pair / experts;
            choices[token * K + counts[token]++] = pair % experts;
        }

        return Assignment.FromChoices(current.Ints(choices), current.Filled((N, K), 1f), experts, pairs.Length);
    }

    /// <summary>Every row that is assigned, and its token·E + expert.</summary>
    private static IEnumerable<(int Row, int Pair)> Pairs(Backend backend, Assignment assignment)
    {
        int[] offsets = backend.Read(assignment.Offsets), tokens = backend.Read(assignment.Tokens);
        for (int e = 0; e < assignment.Experts; e++)
        {
            for (int row = offsets[e]; row < offsets[e + 1]; row++)
                yield return (row, tokens[row] * assignment.Experts + e);
        }
    }

    /// <summary>Where the rows of each source begin in the list of them, and the list; a source has one row at most.</summary>
    private static (int[] Offsets, int[] Rows) Inverse(int[] from, int sources)
    {
        int[] rowOf = new int[sources], offsets = new int[sources + 1], rows = new int[from.Length];
        Array.Fill(rowOf, -1);
        for (int row = 0; row < from.Length; row++)
        {
            if (from[row] >= 0)
                rowOf[from[row]] = row;
        }

        int count = 0;
        for (int source = 0; source < sources; source++)
        {
            if (rowOf[source] >= 0)
                rows[count++] = rowOf[source];
            offsets[source + 1] = count;
        }

        return (offsets, rows);
    }
}
