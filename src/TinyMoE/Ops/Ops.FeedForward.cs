using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>y = silu(gate)·up, silu(x) = x·sigmoid(x) (Shazeer 2020). gate, up, y: the same shape.</summary>
    public static Tensor SwiGlu(this Tensor gate, Tensor up)
    {
        Check.Shape(nameof(SwiGlu), up, gate.Shape);

        Tape tape = gate.Tape;
        Tensor y = tape.New(gate.Shape);
        tape.Backend.SwiGluForward(gate.Data, up.Data, y.Count, y.Data);

        // with σ = sigmoid(gate):  dgate = dy·up·σ·(1 + gate·(1 − σ)),   dup = dy·gate·σ
        return tape.Record(nameof(SwiGlu), y, () =>
            tape.Backend.SwiGluBackward(y.Grad, gate.Data, up.Data, y.Count, gate.GradTarget(), up.GradTarget()));
    }
}
