using TinyMoE.Memory;

namespace TinyMoE.Backends;

// What gated feed-forward networks need between their products.
public abstract partial class Backend
{
    /// <summary>y = silu(gate)·up. gate, up, y (n).</summary>
    public abstract void SwiGluForward(Values gate, Values up, int n, Values y);

    /// <summary>dy, gate, up, dgate, dup (n), both rounded to <paramref name="precision"/>; a stored dup may be dy itself.</summary>
    public abstract void SwiGluBackward(
        Values dy, Values gate, Values up, int n, Target dgate, Target dup, ElementType precision = ElementType.Float32);

    /// <summary>y = g·sigmoid(alpha·g)·(u + 1), g = min(gate, limit), u = up within ±limit. gate, up, y (n).</summary>
    public abstract void ClampedSwiGluForward(Values gate, Values up, float limit, float alpha, int n, Values y);

    /// <summary>dy, gate, up, dgate, dup (n); what is beyond the limit has no gradient.</summary>
    public abstract void ClampedSwiGluBackward(
        Values dy, Values gate, Values up, float limit, float alpha, int n, Target dgate, Target dup);
}
