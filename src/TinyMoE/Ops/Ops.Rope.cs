using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>
    /// Rotary positions (Su et al. 2021), the pairs half a head apart as in Llama: with a the angle of position start + t and pair i,
    /// y[i] = x[i]·cos a − x[i + D/2]·sin a,  y[i + D/2] = x[i + D/2]·cos a + x[i]·sin a. x, y (B, T, H, D), cos, sin (positions, D/2). Uses x up (<see cref="Tape.NewOver"/>).
    /// </summary>
    public static Tensor Rope(this Tensor x, Floats cos, Floats sin, int start = 0)
    {
        Check.That(nameof(Rope), x.Shape.Rank == 4 && x.Shape.Last % 2 == 0, $"x is (B, T, H, D) with an even D, not {x.Shape}");
        int B = x.Shape[0], T = x.Shape[1], H = x.Shape[2], D = x.Shape[3];
        Check.That(
            nameof(Rope), start >= 0 && (start + T) * (D / 2) <= Math.Min(cos.Length, sin.Length),
            $"positions {start} to {start + T - 1} are not all in a table of {cos.Length / Math.Max(1, D / 2)}");

        Tape tape = x.Tape;
        Floats values = x.Data;
        Tensor y = tape.NewOver(x);
        tape.Backend.Rope(values, cos, sin, B, T, H, D, start, inverse: false, y.Data);

        // a rotation's transpose is the rotation back
        return tape.Record(nameof(Rope), y, () =>
            tape.Backend.Rope(y.Grad, cos, sin, B, T, H, D, start, inverse: true, x.GradTarget()));
    }
}
