using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>
    /// Rotary positions (Su et al. 2021), the pairs half a head apart as in Llama: with a the angle of position start + t and pair i,
    /// y[i] = x[i]·cos a − x[i + D/2]·sin a, y[i + D/2] = x[i + D/2]·cos a + x[i]·sin a. Interleaved, the pairs are (2i, 2i + 1). With a
    /// size (an even number) only so many elements of a head are turned, as if D were that, and the others stay. x, y (B, T, H, D), cos,
    /// sin (positions, D/2). Uses x up (<see cref="Tape.NewOver"/>).
    /// </summary>
    public static Tensor Rope(this Tensor x, Floats cos, Floats sin, int start = 0, int size = 0, bool interleaved = false)
    {
        Rotation rotation = new(x, cos, sin, start, size, interleaved);
        Values values = x.Values;
        Tensor y = x.Tape.NewOver(x);
        rotation.Turn(values, default, KvHeads: 0, inverse: false, y.Values, Target.None);

        // a rotation's transpose is the rotation back
        return x.Tape.Record(nameof(Rope), y, x, rotation, static (y, x, rotation) =>
            rotation.Turn(y.GradValues, default, KvHeads: 0, inverse: true, x.GradTarget(), Target.None));
    }

    /// <summary>Turns queries and keys where <paramref name="parts"/> says that they are in rows of x, which it uses up. What attends to
    /// the result turns its gradient back (<see cref="RotaryAngles"/>). x, result (B, T, heads, D).</summary>
    private static Tensor TurnedForAttention(Tensor x, in RotaryAngles angles, in AttentionSizes parts)
    {
        Rotation rotation = new(x, angles.Cos, angles.Sin, angles.Start, angles.Turned, angles.Interleaved);
        Tape tape = x.Tape;
        (Values values, AttentionSizes sizes) = (x.Values, parts);
        Tensor y = tape.NewOver(x);
        if (y.Values.Address != values.Address)
            tape.Backend.Convert(values, x.Count, y.Values);
        rotation.Turn(y.Values, sizes);

        // dx = dy, which attention turned back, and which is there where y took x's memory over
        return tape.Record(nameof(Rope), y, x, static (y, x) =>
        {
            Target dx = x.GradTarget();
            if (!dx.IsNone && (dx.Adds || dx.Values.Address != y.GradValues.Address))
                y.Tape.Backend.Convert(y.GradValues, x.Count, dx);
        });
    }

    /// <summary>Turns queries and keys in one pass. q, result (B, T, H, D), k, result (B, T, KvHeads, D). Uses both up.</summary>
    public static (Tensor Q, Tensor K) Rope(
        this Tensor q, Tensor k, Floats cos, Floats sin, int start = 0, int size = 0, bool interleaved = false)
    {
        Rotation rotation = new(q, cos, sin, start, size, interleaved);
        Check.That(nameof(Rope), k.Shape.Rank == 4, $"k is (B, T, KvHeads, D), not {k.Shape}");
        int KvHeads = k.Shape[2];
        Check.Shape(nameof(Rope), k, (q.Shape[0], q.Shape[1], KvHeads, q.Shape[3]));

        Tape tape = q.Tape;
        (Values queries, Values keys) = (q.Values, k.Values);

        // Two nodes: backward comes to the one of the keys first, which turns both
        // gradients back in one pass; this one is for queries whose keys nobody wanted.
        Tensor yq = tape.NewOver(q);
        tape.Record(nameof(Rope), yq, q, rotation, static (yq, q, rotation) =>
            rotation.Turn(yq.GradValues, default, KvHeads: 0, inverse: true, q.GradTarget(), Target.None));
        Tensor yk = tape.NewOver(k);
        rotation.Turn(queries, keys, KvHeads, inverse: false, yq.Values, yk.Values);
        return (yq, tape.Record(nameof(Rope), yk, yq, q, k, rotation, static (yk, yq, q, k, rotation) =>
        {
            Values dq = yq.TakeGrad();
            rotation.Turn(
                dq, yk.GradValues, yk.Shape[2], inverse: true, dq.IsNone ? Target.None : q.GradTarget(), k.GradTarget());
        }));
    }

    /// <summary>The angles for tensors of the shape of x (B, T, any heads, D), from a position on.</summary>
    private readonly struct Rotation
    {
        private readonly Backend backend;
        private readonly Floats cos;
        private readonly Floats sin;
        private readonly RopeSizes sizes;

        public Rotation(Tensor x, Floats cos, Floats sin, int start, int size, bool interleaved)
        {
            Check.That(nameof(Rope), x.Shape.Rank == 4, $"x is (B, T, H, D), not {x.Shape}");
            int T = x.Shape[1], D = x.Shape[3], turned = size == 0 ? D : size;
            Check.That(nameof(Rope), turned % 2 == 0 && turned >= 0 && turned <= D,
                $"an even number of at most {D} elements of a head is turned, not {turned}");
            Check.That(
                nameof(Rope), start >= 0 && (start + T) * (turned / 2) <= Math.Min(cos.Length, sin.Length),
                $"positions {start} to {start + T - 1} are not all in a table of {cos.Length / Math.Max(1, turned / 2)}");
            (backend, this.cos, this.sin) = (x.Tape.Backend, cos, sin);
            sizes = new RopeSizes(x.Shape[0], T, x.Shape[2], KvHeads: 0, D, turned, start, interleaved);
        }

        /// <summary>Turns the queries and keys in rows of x in their place.</summary>
        public void Turn(Values x, in AttentionSizes parts)
        {
            Values q = parts.QueriesOf(x), k = parts.KeysOf(x);
            backend.Rope(
                q, k, cos, sin, sizes with { H = parts.H, KvHeads = parts.KvHeads, Stride = parts.Stride }, inverse: false, q, k);
        }

        public void Turn(Values q, Values k, int KvHeads, bool inverse, Target yq, Target yk) =>
            backend.Rope(q, k, cos, sin, sizes with { KvHeads = KvHeads }, inverse, yq, yk);
    }
}
