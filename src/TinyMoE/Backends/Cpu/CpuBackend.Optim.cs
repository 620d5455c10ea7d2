using System.Numerics;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override double SquaredSum(Floats x, int n)
    {
        int pieces = Pieces(n, PieceSize);
        DeviceBuffer buffer = Pool.Rent((long)pieces * sizeof(double));
        View<double> sums = buffer.As<double>(pieces);
        ForElements(n, (x, n, sums), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            float* x = s.x.Pointer + start;
            Vector<double> lower = Vector<double>.Zero, upper = Vector<double>.Zero;
            for (int i = 0; i < length; i += Lanes.Width)
            {
                Vector.Widen(Lanes.Load(x + i, length - i), out Vector<double> low, out Vector<double> high);
                lower = Vector.FusedMultiplyAdd(low, low, lower);
                upper = Vector.FusedMultiplyAdd(high, high, upper);
            }

            s.sums.Pointer[piece] = Vector.Sum(lower + upper);
        });

        double total = 0;
        foreach (double sum in sums.Span)
            total += sum;
        Pool.Return(buffer);
        return total;
    }

    /// <inheritdoc/>
    public override void AdamW(Floats g, in AdamWStep step, int n, Floats w, Floats m, Floats v)
    {
        // m̂/(√v̂ + eps) = m·(1/c₁) / (√v·(1/√c₂) + eps) with cᵢ = 1 − βᵢᵗ
        double correction1 = 1 - Math.Pow(step.Beta1, step.Step), correction2 = 1 - Math.Pow(step.Beta2, step.Step);
        float rate = (float)(step.LearningRate / correction1), root = (float)(1 / Math.Sqrt(correction2));
        ForElements(n, (g, step, rate, root, n, w, m, v), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            float* g = s.g.Pointer + start, w = s.w.Pointer + start, m = s.m.Pointer + start, v = s.v.Pointer + start;
            Vector<float> beta1 = new(s.step.Beta1), beta2 = new(s.step.Beta2), rest1 = new(1f - s.step.Beta1), rest2 = new(1f - s.step.Beta2);
            Vector<float> scale = new(s.step.GradientScale), rate = new(s.rate), root = new(s.root), eps = new(s.step.Epsilon);
            Vector<float> keep = new(1f - s.step.LearningRate * s.step.WeightDecay);
            for (int i = 0; i < length; i += Lanes.Width)
            {
                int left = length - i;
                Vector<float> gHere = Lanes.Load(g + i, left) * scale;
                Vector<float> mHere = Vector.FusedMultiplyAdd(beta1, Lanes.Load(m + i, left), rest1 * gHere);
                Vector<float> vHere = Vector.FusedMultiplyAdd(beta2, Lanes.Load(v + i, left), rest2 * gHere * gHere);
                Vector<float> update = rate * mHere / Vector.FusedMultiplyAdd(Vector.SquareRoot(vHere), root, eps);
                Lanes.Store(keep * Lanes.Load(w + i, left) - update, w + i, left);
                Lanes.Store(mHere, m + i, left);
                Lanes.Store(vHere, v + i, left);
            }
        });
    }
}
