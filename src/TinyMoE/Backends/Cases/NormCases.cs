using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Norm.</summary>
internal sealed class NormCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 80;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, _, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("RmsNormForward",
            (b, d) => b.RmsNormForward(d.In(flat), default, d.In(C), N, C, 1e-5f, default, d.Out(flat), d.Out(N)));
        yield return Case("RmsNormForward of a sum",
            (b, d) => b.RmsNormForward(d.In(flat), d.In(flat), d.In(C), N, C, 1e-5f, d.Out(flat), d.Out(flat), d.Out(N)));
        yield return Case("RmsNormBackward", (b, d) =>
            b.RmsNormBackward(d.In(flat), default, d.In(flat), d.In(C), d.In(N, 0.5f, 2f), N, C, To(d, flat), Target.None, To(d, C)), 5e-5);
        yield return Case("RmsNormBackward of a sum", (b, d) =>
            b.RmsNormBackward(d.In(flat), d.In(flat), d.In(flat), d.In(C), d.In(N, 0.5f, 2f), N, C, To(d, flat), To(d, flat), To(d, C)),
                5e-5);
        yield return Case("LayerNormForward",
            (b, d) => b.LayerNormForward(d.In(flat), default, d.In(C), d.In(C), N, C, 1e-5f, default, d.Out(flat), d.Out(N), d.Out(N)));
        yield return Case("LayerNormForward of a sum", (b, d) =>
            b.LayerNormForward(d.In(flat), d.In(flat), d.In(C), default, N, C, 1e-5f, d.Out(flat), d.Out(flat), d.Out(N), d.Out(N)));
        yield return Case("LayerNormBackward", (b, d) =>
            b.LayerNormBackward(d.In(flat), default, d.In(flat), d.In(C), d.In(N), d.In(N, 0.5f, 2f), N, C, To(d, flat), Target.None,
                To(d, C), To(d, C)), 5e-5);
        yield return Case("LayerNormBackward of a sum", (b, d) =>
            b.LayerNormBackward(d.In(flat), d.In(flat), d.In(flat), d.In(C), d.In(N), d.In(N, 0.5f, 2f), N, C, To(d, flat), To(d, flat),
                To(d, C), To(d, C)), 5e-5);
    }
}
