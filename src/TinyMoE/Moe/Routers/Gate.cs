using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>Logits (N, E) as they are, for losses and statistics, and as the choice sees them.</summary>
internal readonly record struct GateLogits(Tensor Clean, Tensor Noisy)
{
    /// <summary>Logits without noise, of which the choice sees those of experts that may be chosen.</summary>
    public static GateLogits Of(Tensor clean, ExpertMask? mask) => new(clean, mask is null ? clean : mask.Apply(clean));
}

/// <summary>
/// The learned part of most routers, h = x·Wgᵀ in float32, with a bias where moe.router_bias asks for one (GPT-OSS; zero at first, not
/// decaying), with what may act on it in training only: <list type="bullet"> <item>jitter ε:
/// the router's copy of x is multiplied by numbers uniform in [1 − ε, 1 + ε] (Fedus et al. 2021, section 2.2; the text, not the pseudo-code
/// of appendix F, which adds them);</item> <item>logit noise s: normal noise of deviation s/E is added to the logits (Riquelme et al. 2021,
/// V-MoE);</item> <item>gate dropout: a token must do without an expert at random: its logit is masked (Csordás et al. 2023).</item>
/// </list> moe.router_precision bfloat16 rounds x, Wg and h, in training and after, for those who want to see what float32 is for.
/// </summary>
internal sealed class Gate
{
    private const float MaskDepth = 1e9f; // its square, in the slope of the load loss, is finite still

    private readonly MoeConfig config;
    private readonly int layer;
    private readonly bool isOfExperts;
    private readonly Linear linear;

    /// <summary>
    /// Adds <c>name.weight</c> (outputs, C) and, where configured, <c>name.bias</c> (outputs) to the site's store; E outputs unless said.
    /// </summary>
    public Gate(RouterSite site, string name, Initializer? initializer = null, int? outputs = null)
    {
        (config, layer, isOfExperts) = (site.Moe, site.Layer, outputs is null);
        int C = site.Model.Width;
        linear = new Linear(
            site.Store, $"{site.Name}.{name}", ModelPart.Router, C, outputs ?? config.Experts,
            initializer ?? new WeightInit(site.Model).Matrix(C), config.RouterBias);
    }

    /// <summary>Whether it keeps its weights in training.</summary>
    public bool IsFrozen => linear.Weight.IsFrozen;

    /// <summary>x (N, C) to logits (N, E); where experts may not be chosen, the choice does not see theirs.</summary>
    public GateLogits Forward(Tensor x, RoutingContext context)
    {
        Pass pass = context.Pass;
        Tensor seen = pass.Training ? Jittered(x, pass) : x;
        Tensor clean = config.RouterPrecision == ElementType.Bfloat16 ? linear.ForwardInBfloat16(seen) : linear.ForwardToFloat32(seen),
            noisy = clean;
        if (!pass.Training)
            return GateLogits.Of(clean, isOfExperts ? pass.MaskOf(layer) : null);
        if (config.LogitNoise > 0f)
            noisy = noisy.Add(pass.RouterNoise(clean, layer).Scale(NoiseDeviation(config)));
        if (config.GateDropout > 0f)
            noisy = WithDropout(noisy, pass);
        return new GateLogits(clean, noisy);
    }

    /// <summary>Standard deviation of the fixed noise.</summary>
    public static float NoiseDeviation(MoeConfig config) => config.LogitNoise / config.Experts;

    private Tensor Jittered(Tensor x, Pass pass) => // (N, C)
        config.Jitter == 0f ? x : x.Jitter(config.Jitter, pass.Key(RandomPurpose.RouterJitter, layer));

    /// <summary>The logits without those that gate dropout hides. logits (N, E).</summary>
    private Tensor WithDropout(Tensor logits, Pass pass)
    {
        float kept = 1f / (1f - config.GateDropout);             // what dropout makes of a 1 that it keeps
        Tensor ones = logits.Tape.Filled(logits.Shape, 1f);
        Tensor keep = ones.Dropout(pass.Dropout(config.GateDropout, RandomPurpose.GateDropout, layer));
        return logits.Mask(keep, MaskDepth, kept);
    }
}
