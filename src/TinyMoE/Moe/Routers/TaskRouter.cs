using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// Task-level routing (Kudugunta et al. 2021, "Beyond Distillation"): all tokens of one task or domain go to that task's experts, so that a
/// small dense model can be cut out of the large one for each task.
/// <code>
/// h = G[label of t]              a learned row of logits per label, G (labels, E)
/// I = the K largest h;  g = softmax(h over I), or over all where moe.renormalize is false or K = 1
/// </code>
/// Labels come with the data (data.labels). G begins standard normal, so that tasks begin apart.
/// </summary>
internal sealed class TaskRouter : Router
{
    private readonly Parameter table;

    /// <summary>Adds <c>name.router.tasks.weight</c> (labels, E) to the site's store.</summary>
    public TaskRouter(RouterSite site)
        : base(site) => table = site.Store.Add(
            $"{site.Name}.router.tasks.weight", (Math.Max(1, Config.Tasks), Config.Experts), Initializer.Normal(1f), ModelPart.Router,
            decays: false);

    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        Ints labels = context.Tokens.Labels;
        if (labels.IsNone)
        {
            throw new TinyMoEException(
                $"moe.router=task needs the label of every token, 0 to {table.Shape[0] - 1}; set data.labels, or name a --label");
        }

        if (!context.Pass.Training)
            RequireKnown(context.Tokens.LabelRange(x.Tape));
        Tensor logits = x.Tape.Embedding(table, labels);         // (N, E)
        GateLogits seen = GateLogits.Of(logits, context.Pass.MaskOf(Layer));
        return Choice.TopK(seen, Config.Active, overAll: !Config.Renormalize || Config.Active == 1, context);
    }

    /// <summary>
    /// Another text may have labels that the one in training did not have; in training they are counted before the model is built.
    /// </summary>
    private void RequireKnown((int Least, int Largest) labels)
    {
        int known = table.Shape[0];
        if (labels.Least >= 0 && labels.Largest < known)
            return;
        throw new TinyMoEException($"moe.router=task has learned the labels 0 to {known - 1}, and a token has the label "
            + $"{(labels.Least < 0 ? labels.Least : labels.Largest)}; give it one that the text of training had");
    }
}
