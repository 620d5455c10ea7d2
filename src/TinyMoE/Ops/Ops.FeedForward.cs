using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>y = silu(gate)·up, silu(x) = x·sigmoid(x) (Shazeer 2020). gate, up, y: the same shape.</summary>
    public static Tensor SwiGlu(this Tensor gate, Tensor up)
    {
        Check.Shape(nameof(SwiGlu), up, gate.Shape);

        Tape tape = gate.Tape;
        Tensor y = tape.New(gate.Shape, gate.Type);
        tape.Backend.SwiGluForward(gate.Values, up.Values, y.Count, y.Values);

        // with σ = sigmoid(gate):  dgate = dy·up·σ·(1 + gate·(1 − σ)),   dup = dy·gate·σ
        return tape.Record(nameof(SwiGlu), y, gate, up, static (y, gate, up) =>
            y.Tape.Backend.SwiGluBackward(y.GradValues, gate.Values, up.Values, y.Count, gate.GradTarget(), up.GradTarget()));
    }

    /// <summary>
    /// y = g·sigmoid(alpha·g)·(u + 1) with g = min(gate, limit), u = up within ±limit (GPT-OSS: limit 7, alpha 1.702). gate, up, y: the
    /// same shape.
    /// </summary>
    public static Tensor ClampedSwiGlu(this Tensor gate, Tensor up, float limit, float alpha)
    {
        Check.Shape(nameof(ClampedSwiGlu), up, gate.Shape);
        Check.That(nameof(ClampedSwiGlu), limit > 0f, $"the limit is above 0, not {limit}");

        Tape tape = gate.Tape;
        Tensor y = tape.New(gate.Shape, gate.Type);
        tape.Backend.ClampedSwiGluForward(gate.Values, up.Values, limit, alpha, y.Count, y.Values);

        // with σ = sigmoid(alpha·g):  dgate = dy·(u + 1)·σ·(1 + alpha·g·(1 − σ)), 0 where gate > limit;  dup = dy·g·σ, 0 where |up| > limit
        return tape.Record(nameof(ClampedSwiGlu), y, gate, up, limit, alpha, static (y, gate, up, limit, alpha) =>
            y.Tape.Backend.ClampedSwiGluBackward(
                y.GradValues, gate.Values, up.Values, limit, alpha, y.Count, gate.GradTarget(), up.GradTarget()));
    }
}
