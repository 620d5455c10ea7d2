using System.Globalization;
using TinyMoE.Configuration;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>An expert of a layer, both counted from 0; written as <c>layer:expert</c>.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Expert">The expert in it.</param>
public readonly record struct ExpertId(int Layer, int Expert)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Layer}:{Expert}");

    /// <summary>Reads <c>layer:expert</c>; whether it is one.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ExpertId id)
    {
        id = default;
        int colon = text.IndexOf(':');
        if (colon < 0 || !int.TryParse(text[..colon], NumberStyles.None, CultureInfo.InvariantCulture, out int layer)
            || !int.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int expert))
        {
            return false;
        }

        id = new ExpertId(layer, expert);
        return true;
    }
}

/// <summary>
/// What routers are made to do otherwise, for causal questions to a trained model: do without some experts, or send every token to one. A
/// router decides as if the logits of the others were −∞: they are masked before the choice, and gates are those of the experts that are
/// left, renormalised or not as the router does it. Where fewer are left than a token wants, it gets as many as there are. A router without
/// scores (hash, uniform) drops its choices of experts that are not there.
/// </summary>
public sealed class Interventions
{
    private readonly SortedDictionary<int, ExpertMask> masks = [];

    private Interventions()
    {
    }

    /// <summary>The layers whose routers do otherwise, in order.</summary>
    public IEnumerable<int> Layers => masks.Keys;

    /// <summary>
    /// A model of this configuration without the <paramref name="ablated"/> experts, and with every token of a layer going to the
    /// <paramref name="forced"/> one.
    /// </summary>
    /// <exception cref="TinyMoEException">There is no such expert, a layer has two forced ones, or none would be left in it.</exception>
    public static Interventions Of(RunConfig config, IEnumerable<ExpertId> ablated, IEnumerable<ExpertId>? forced = null)
    {
        Interventions made = new();
        int E = config.Moe.Experts;
        foreach (IGrouping<int, ExpertId> layer in ablated.GroupBy(id => id.Layer))
        {
            bool[] open = new bool[E];
            Array.Fill(open, true);
            foreach (ExpertId id in layer)
            {
                RequireThere(config, id);
                open[id.Expert] = false;
            }

            if (!open.Contains(true))
                throw new TinyMoEException($"all {E} experts of layer {layer.Key} are to be ablated, and none would be left; keep one");
            made.masks[layer.Key] = new ExpertMask(open, forced: null);
        }

        foreach (ExpertId id in forced ?? [])
        {
            RequireThere(config, id);
            bool[] open = new bool[E];
            open[id.Expert] = true;
            if (made.masks.TryGetValue(id.Layer, out ExpertMask? other))
            {
                throw new TinyMoEException(other.Forced is { } first
                    ? $"layer {id.Layer} cannot send every token to expert {first} and to expert {id.Expert}; force one in a layer"
                    : $"layer {id.Layer} has an expert that is forced and others that are ablated; a layer can have one or the other");
            }

            made.masks[id.Layer] = new ExpertMask(open, id.Expert);
        }

        return made;
    }

    /// <summary>What the router of a layer is limited to; null: nothing.</summary>
    internal ExpertMask? Of(int layer) => masks.GetValueOrDefault(layer);

    private static void RequireThere(RunConfig config, ExpertId id)
    {
        int L = config.Model.Layers, E = config.Moe.Experts;
        if (E == 0)
            throw new TinyMoEException($"there is no expert {id}: the model is dense");
        if (id.Layer >= L)
            throw new TinyMoEException($"there is no expert {id}: the model has the layers 0 to {L - 1}");
        if (!config.Moe.InLayer(id.Layer))
        {
            IEnumerable<int> sparse = Enumerable.Range(0, L).Where(config.Moe.InLayer);
            throw new TinyMoEException(
                $"there is no expert {id}: layer {id.Layer} is dense, those with experts are {string.Join(", ", sparse)}");
        }

        if (id.Expert >= E)
            throw new TinyMoEException($"there is no expert {id}: layer {id.Layer} has the experts 0 to {E - 1}");
    }
}

/// <summary>Which experts of a layer a router may choose.</summary>
/// <param name="open">(E), whether each may be chosen; one at least.</param>
/// <param name="forced">The one that every token goes to; null: the router chooses among the open ones.</param>
internal sealed class ExpertMask(bool[] open, int? forced)
{
    private const float Depth = 10 * Ops.Ops.FarBelow; // below what other masks leave of a logit, so that those are chosen before

    /// <summary>The one expert that every token goes to; null: the router chooses.</summary>
    public int? Forced => forced;

    /// <summary>How many may be chosen.</summary>
    public int OpenCount { get; } = open.Count(true);

    /// <summary>Scores that lose every comparison where an expert may not be chosen. scores, result (N, E).</summary>
    public Tensor Apply(Tensor scores) => scores.Mask(OpenRows(scores.Tape, scores.Count / open.Length), Depth);

    /// <summary>The same for groups of equal runs of experts: one without an open expert is not chosen. scores, result (N, G).</summary>
    public Tensor ApplyToGroups(Tensor scores)
    {
        int G = scores.Shape.Last, M = open.Length / G;
        float[] row = [.. open.Chunk(M).Select(group => group.Contains(true) ? 1f : 0f)];
        return scores.Mask(Rows(scores.Tape, scores.Count / G, row), Depth);
    }

    /// <summary>The choices of open experts; the others are −1. choices, result (N, K).</summary>
    public Ints Keep(Tape tape, Ints choices, int K) =>
        OpenRows(tape, choices.Length / K).SelectColumns(choices, K).KeepChoices(choices);

    /// <summary>1 for an expert that may be chosen, 0 for another (N, E).</summary>
    private Tensor OpenRows(Tape tape, int N) => Rows(tape, N, [.. open.Select(isOpen => isOpen ? 1f : 0f)]);

    private static Tensor Rows(Tape tape, int N, float[] row) =>
        tape.Filled((N, row.Length), 0f).Add(tape.Constant(row.Length, row));
}
