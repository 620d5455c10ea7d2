using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>Columns <paramref name="start"/> to before start + count. x (..., C); result (..., count).</summary>
    public static Tensor SliceColumns(this Tensor x, int start, int count)
    {
        int C = x.Shape.Last;
        Check.That(nameof(SliceColumns), start >= 0 && count > 0 && count <= C - start,
            $"no columns {start} to {(long)start + count} in {x.Shape}");
        int N = x.Count / C;                                     // x (N, C)

        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape.WithLast(count), x.Type);    // (N, count)
        tape.Backend.CopyColumns(x.Values, C, start, N, count, count, 0, y.Values);

        // dx[n, start + c] = dy[n, c], zero elsewhere
        return tape.Record(nameof(SliceColumns), y, x, start, static (y, x, start) =>
        {
            int C = x.Shape.Last, N = x.Count / C, count = y.Shape.Last;
            Backend backend = y.Tape.Backend;
            Target dx = x.GradTarget();
            if (!dx.IsNone && !dx.Adds)
                backend.Fill(dx.Values, 0f);
            backend.CopyColumns(y.GradValues, count, 0, N, count, C, start, dx with { Adds = true });
        });
    }

    /// <summary>The columns of a, then those of b. a (..., A), b (..., B); result (..., A + B).</summary>
    public static Tensor ConcatColumns(this Tensor a, Tensor b)
    {
        int widthA = a.Shape.Last, widthB = b.Shape.Last, width = widthA + widthB;
        Check.That(nameof(ConcatColumns), a.Shape.WithLast(1) == b.Shape.WithLast(1),
            $"{a.Shape} and {b.Shape} differ in more than the last dimension");
        int N = widthA == 0 ? 0 : a.Count / widthA;              // a (N, widthA), b (N, widthB)

        Tape tape = a.Tape;
        Tensor y = tape.New(a.Shape.WithLast(width), a.Type);    // (N, width)
        tape.Backend.CopyColumns(a.Values, widthA, 0, N, widthA, width, 0, y.Values);
        tape.Backend.CopyColumns(b.Values, widthB, 0, N, widthB, width, widthA, y.Values);

        // da, db = their columns of dy
        return tape.Record(nameof(ConcatColumns), y, a, b, static (y, a, b) =>
        {
            int width = y.Shape.Last, N = y.Count / width, widthA = a.Shape.Last, widthB = b.Shape.Last;
            Backend backend = y.Tape.Backend;
            backend.CopyColumns(y.GradValues, width, 0, N, widthA, widthA, 0, a.GradTarget());
            backend.CopyColumns(y.GradValues, width, widthA, N, widthB, widthB, 0, b.GradTarget());
        });
    }

    /// <summary>
    /// The columns of a, then those of the row of b that it shares with its neighbours: rows n·times to before (n + 1)·times of a have row
    /// n of b. a (N·times, A), b (N, B); result (N·times, A + B).
    /// </summary>
    public static Tensor ConcatShared(this Tensor a, Tensor b)
    {
        int widthA = a.Shape.Last, widthB = b.Shape.Last, width = widthA + widthB;
        int N = widthB == 0 ? 0 : b.Count / widthB, rows = widthA == 0 ? 0 : a.Count / widthA;
        Check.That(nameof(ConcatShared), N > 0 && rows % N == 0, $"the rows of {a.Shape} cannot share those of {b.Shape} evenly");
        int times = rows / N;                                    // a (N·times, widthA), b (N, widthB)

        Tape tape = a.Tape;
        Tensor y = tape.New(a.Shape.WithLast(width), a.Type);    // (N·times, width)
        tape.Backend.CopyColumns(a.Values, widthA, 0, rows, widthA, width, 0, y.Values);
        tape.Backend.RepeatRows(b.Values, N, widthB, times, width, widthA, y.Values);

        // da = its columns of dy,   db[n] = Σ_i of the rows i that share it: the other columns of dy[i]
        return tape.Record(nameof(ConcatShared), y, a, b, static (y, a, b) =>
        {
            int widthA = a.Shape.Last, widthB = b.Shape.Last, width = y.Shape.Last, rows = y.Count / width, N = b.Count / widthB;
            Backend backend = y.Tape.Backend;
            backend.CopyColumns(y.GradValues, width, 0, rows, widthA, widthA, 0, a.GradTarget());
            backend.SumRepeatedRows(y.GradValues, width, widthA, N, widthB, rows / N, b.GradTarget());
        });
    }

    /// <summary>x and zeros behind it. x (..., C); result (..., width), or x itself where it is as wide.</summary>
    public static Tensor PadColumns(this Tensor x, int width)
    {
        int C = x.Shape.Last, N = C == 0 ? 0 : x.Count / C;      // x (N, C)
        Check.That(nameof(PadColumns), width >= C, $"{x.Shape} is wider than {width}");
        if (width == C)
            return x;

        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape.WithLast(width), x.Type);    // (N, width)
        tape.Backend.Fill(y.Values, 0f);
        tape.Backend.CopyColumns(x.Values, C, 0, N, C, width, 0, y.Values);

        // dx = its columns of dy
        return tape.Record(nameof(PadColumns), y, x, static (y, x) =>
        {
            int C = x.Shape.Last, width = y.Shape.Last;
            y.Tape.Backend.CopyColumns(y.GradValues, width, 0, y.Count / width, C, C, 0, x.GradTarget());
        });
    }
}
