using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// Hash layers (Roller et al. 2021): a fixed table by token id, nothing is learned and nothing can collapse.
/// <code>
/// I(t) = table[id of t]          K different experts
/// g = 1/K
/// moe.hash random:    the experts of an id are drawn once, from the seed and the layer
/// moe.hash balanced:  ids from the most frequent in the text down, each to the K experts with the least text so far
/// </code>
/// The table is part of a checkpoint.
/// </summary>
internal sealed class HashRouter : Router
{
    private readonly ParameterStore store;
    private readonly StateTensor table;

    /// <summary>Adds the state <c>name.router.table</c> (V, K) to the site's store.</summary>
    public HashRouter(RouterSite site)
        : base(site)
    {
        (store, int V, int E, int K) = (site.Store, site.Model.Vocabulary, Config.Experts, Config.Active);
        table = store.AddState($"{site.Name}.router.table", (V, K), seed => RandomTable(seed, Layer, V, E, K));
    }

    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        Tape tape = x.Tape;
        Ints choices = tape.LookUpChoices(table.On(tape), context.Tokens.Ids);
        return Choice.Choose(RouterScores.None, choices, TokenChoice.EqualGates(tape, context.Tokens.Count, Config.Active), context);
    }

    /// <inheritdoc/>
    public override bool WantsFrequencies => Config.Hash == HashKind.Balanced;

    /// <inheritdoc/>
    public override void Prepare(IReadOnlyList<int> frequencies)
    {
        if (WantsFrequencies)
        {
            int[] all = new int[table.Shape[0]];                 // 0 for ids that the model has and the tokenizer has not
            for (int id = 0; id < frequencies.Count; id++)
                all[id] = frequencies[id];
            store.Backend.Write<float>(BalancedTable(all, Config.Experts, Config.Active), table.Data);
        }
    }

    /// <summary>K different experts for each of V ids, drawn at random.</summary>
    internal static float[] RandomTable(ulong seed, int layer, int V, int E, int K)
    {
        Philox random = new(new RandomKey(seed, RandomPurpose.RandomRouting, Step: 0, layer));
        int[] experts = [.. Enumerable.Range(0, E)];
        float[] table = new float[V * K];
        for (int i = 0; i < table.Length; i++)
        {
            int k = i % K, drawn = k + random.Below(E - k, i);   // the first K places of a shuffle
            (experts[k], experts[drawn]) = (experts[drawn], experts[k]);
            table[i] = experts[k];
        }

        return table;
    }

    /// <summary>The K least loaded experts for each id, the most frequent id first. frequencies (V).</summary>
    internal static float[] BalancedTable(IReadOnlyList<int> frequencies, int E, int K)
    {
        float[] table = new float[frequencies.Count * K];
        long[] loads = new long[E];
        foreach (int id in Enumerable.Range(0, frequencies.Count).OrderByDescending(id => frequencies[id]).ThenBy(id => id))
        {
            int[] least = [.. Enumerable.Range(0, E).OrderBy(e => loads[e]).ThenBy(e => e).Take(K)];
            for (int k = 0; k < K; k++)
            {
                table[id * K + k] = least[k];
                loads[least[k]] += Math.Max(1, frequencies[id]);  // ids that never occur are spread as well
            }
        }

        return table;
    }
}
