using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Embedding.</summary>
internal sealed class EmbeddingCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 150;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, V, _, _, _, _, _, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("EmbeddingForward", (b, d) => b.EmbeddingForward(d.In(V * C), d.InInts(N, V), N, V, C, d.Out(flat)));
        yield return Case("EmbeddingForward of a bfloat16 table",
            (b, d) => b.EmbeddingForward(d.In(Bfloat16sOf(V * C)), d.InInts(N, V), N, V, C, d.Out(flat)), tolerance: 0);
        yield return Case("EmbeddingForward of a float16 table",
            (b, d) => b.EmbeddingForward(Float16sOf(d, V * C), d.InInts(N, V), N, V, C, d.Out(flat)), tolerance: 0);
        yield return Case("EmbeddingBackward",
            (b, d) => b.EmbeddingBackward(d.In(flat), d.InInts(N, V), N, V, C, To(d, V * C)));
    }
}
