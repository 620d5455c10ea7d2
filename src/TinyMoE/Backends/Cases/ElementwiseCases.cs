using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Elementwise.</summary>
internal sealed class ElementwiseCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 20;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, _, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        foreach (Unary f in Enum.GetValues<Unary>())
        {
            float low = f is Unary.Log or Unary.Sqrt ? 0.1f : -3f;
            yield return Case($"UnaryForward {f}", (b, d) => b.UnaryForward(f, d.In(flat, low, 3f), flat, d.Out(flat)));
            yield return Case($"UnaryBackward {f}",
                (b, d) => b.UnaryBackward(f, d.In(flat, low, 3f), d.In(flat, 0.1f, 1f), d.In(flat), flat, To(d, flat)));
        }

        foreach (Binary f in Enum.GetValues<Binary>())
        {
            foreach (Broadcast broadcast in Enum.GetValues<Broadcast>())
            {
                int second = broadcast switch { Broadcast.None => flat, Broadcast.Row => C, _ => N };
                yield return Case($"BinaryForward {f} {broadcast}",
                    (b, d) => b.BinaryForward(f, d.In(flat), d.In(second, 0.5f, 2f), broadcast, N, C, d.Out(flat)));
                yield return Case($"BinaryBackward {f} {broadcast}",
                    (b, d) => b.BinaryBackward(f, d.In(flat), d.In(flat), d.In(second, 0.5f, 2f), broadcast, N, C, To(d, flat),
                        To(d, second)), 5e-5);
            }
        }

        yield return Case("ClampForward", (b, d) => b.ClampForward(d.In(flat), -0.4f, 0.6f, flat, d.Out(flat)));
        yield return Case("ClampBackward", (b, d) => b.ClampBackward(d.In(flat), d.In(flat), -0.4f, 0.6f, flat, To(d, flat)));
        yield return Case("Affine", (b, d) => b.Affine(d.In(flat), 0.7f, 0.3f, flat, To(d, flat)));
    }
}
