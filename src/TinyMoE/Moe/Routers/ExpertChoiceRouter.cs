using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// Expert choice (Zhou et al. 2022): experts choose tokens, so that loads are equal by construction and a token may have none, one
/// or many. <code> S = softmax(x·Wgᵀ) over the experts, (N, E) expert e takes the C tokens with the largest S[·, e], C = ⌊n·c/E⌋ of
/// a group of n tokens that count, at least 1 gate of token t at expert e = S[n, e] </code> c, the mean number of experts per token,
/// is moe.active: 2 costs as much as top-2. No balance loss is needed. Who is taken depends on all tokens of the group. With groups
/// of a sequence (the default) or of the batch (the paper) that means later ones: a decoder that is trained so can cheat, hence it
/// is refused unless moe.allow_non_causal is set. moe.choice_group position makes groups of the tokens at one position of all
/// sequences: causal, but what a sequence gets then depends on its neighbours in the batch, and one that is alone gets every expert.
/// </summary>
internal sealed class ExpertChoiceRouter(RouterSite site) : GatedRouter(site)
{
    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        TokenBatch tokens = context.Tokens;
        int E = Config.Experts,
            groups = Config.ChoiceGroup switch { ChoiceGroup.Batch => 1, ChoiceGroup.Sequence => tokens.B, _ => tokens.T };
        GateLogits logits = Gate.Forward(x, context);
        Tensor probabilities = logits.Noisy.Softmax();           // (N, E)
        Tensor scores = tokens.Mask is null ? probabilities : probabilities.Mask(tokens.Mask.Column); // below 0: never taken
        int active = context.Pass.MaskOf(Layer)?.Forced is null ? Config.Active : E; // an expert that is forced takes every token
        Ints choices = scores.ChooseTokens(active, groups, interleaved: Config.ChoiceGroup == ChoiceGroup.Position); // (N, E)
        int most = Math.Max(1, (int)((long)tokens.Count / groups * active / E)); // of a group without padding
        return Choice.Choose(RouterScores.Of(logits.Clean, probabilities), choices, probabilities, context, rows: groups * E * most);
    }
}
