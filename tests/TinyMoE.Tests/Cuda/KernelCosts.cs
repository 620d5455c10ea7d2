using System.Text.Json;
using TinyMoE.Backends;
using TinyMoE.Backends.Cases;
using TinyMoE.Cuda;

namespace TinyMoE.Tests.Cuda;

/// <summary>What the emulated device counted of one kernel in one case: cost without
/// a card. Byte counts are the distinct bytes of every warp instruction.</summary>
/// <param name="Kernel">The kernel of the PTX.</param>
/// <param name="Case">The kernel case that launched it.</param>
/// <param name="Launches">How often.</param>
/// <param name="ThreadInstructions">Instructions of all threads.</param>
/// <param name="Bytes">Global bytes read and written.</param>
/// <param name="LeastBytes">Each byte read once and each written once.</param>
/// <param name="Sectors">32-byte sectors touched.</param>
/// <param name="LeastSectors">The fewest that could hold the bytes of each warp instruction.</param>
/// <param name="BankConflicts">Wavefronts in shared memory beyond the fewest.</param>
/// <param name="DivergentBranches">Branches that a warp took both ways.</param>
/// <param name="LocalBytes">Bytes in local memory: arrays that are no registers.</param>
/// <param name="TensorMultiplyAdds">Multiply-adds on tensor cores, bfloat16 and TF32.</param>
/// <param name="FloatMultiplyAdds">Float32 multiply-adds without tensor cores: fused, or the fewer of products and sums.</param>
internal sealed record KernelCost(
    string Kernel, string Case, long Launches, long ThreadInstructions, long Bytes, long LeastBytes, long Sectors, long LeastSectors,
    long BankConflicts, long DivergentBranches, long LocalBytes, long TensorMultiplyAdds, long FloatMultiplyAdds)
{
    /// <summary>Traffic beside the least.</summary>
    public double Traffic => LeastBytes == 0 ? 1 : (double)Bytes / LeastBytes;

    /// <summary>Sectors beside the fewest: 1 is perfectly coalesced.</summary>
    public double Coalescing => LeastSectors == 0 ? 1 : (double)Sectors / LeastSectors;

    /// <summary>Of all multiply-adds, those on tensor cores: 0 to 1.</summary>
    public double TensorShare => TensorMultiplyAdds == 0 ? 0 : (double)TensorMultiplyAdds / (TensorMultiplyAdds + FloatMultiplyAdds);
}

/// <summary>Measures every kernel at the typical size on the emulated device.</summary>
internal static class KernelCosts
{
    /// <summary>Traffic that a kernel may have beside the least.</summary>
    public const double MostTraffic = 1.25;

    /// <summary>Every kernel in every case that launches it, the worst traffic of a kernel first.</summary>
    public static IReadOnlyList<KernelCost> Measure()
    {
        Emulator.Configure("count");
        List<KernelCost> costs = [];
        Measure(new CudaOptions { Grouped = GroupedProducts.Cublas }, Cases(), costs); // ours have cases of their own
        foreach (TensorCores kind in Enum.GetValues<TensorCores>())
            Measure(new CudaOptions { Grouped = GroupedProducts.Own, TensorCores = kind }, OwnGroupedCases.Of(kind), costs);
        Measure(new CudaOptions { TensorCores = TensorCores.Tf32 }, TensorCases(), costs);
        return [.. costs.OrderBy(cost => cost.Kernel, StringComparer.Ordinal).ThenByDescending(cost => cost.Traffic)];
    }

    private static void Measure(CudaOptions options, IEnumerable<KernelCase> cases, List<KernelCost> costs)
    {
        using CudaBackend cuda = new(0, options);
        foreach (KernelCase c in cases)
        {
            using KernelData data = new(cuda);
            _ = Emulator.TakeCounters();
            c.Run(cuda, data);
            cuda.Synchronize();
            costs.AddRange(Parse(Emulator.TakeCounters(), c.ToString()));
        }
    }

    /// <summary>The bound on the traffic of a kernel that has one of its own, and why.</summary>
    public static double MostTrafficOf(string kernel) =>
        OwnBounds.TryGetValue(kernel, out (double Bound, string) own) ? own.Bound : MostTraffic;

    private const string OfRows = "each tile of 64 columns reads its rows again, each tile of 64 rows the weights of its expert";
    private const string OfWeights =
        "each tile of 64 by 64 weights reads its columns of dy and of x, of rows by token once for each expert of the token";
    private const string OfTokens = OfRows + ", and of rows by token once for each expert of the token";

    /// <summary>Of the multiply-adds of a kernel, how many must be on tensor cores: all but a softmax, where its name says so.</summary>
    public static double LeastTensorShareOf(string kernel) =>
        kernel.Contains("_tf32_", StringComparison.Ordinal) || kernel.Contains("_bf16_", StringComparison.Ordinal) ? 0.97 : 0;

    /// <summary>Kernels that read something more than once by their nature.</summary>
    public static IReadOnlyDictionary<string, (double Bound, string Why)> OwnBounds { get; } =
        new Dictionary<string, (double, string)>(StringComparer.Ordinal)
        {
            ["assign_balanced"] =
            (20, "an auction in rounds, up to a hundred: each reads the scores of the tokens that are outside, and all bids"),
            ["auction_bid"] = (2.5, "each warp reads what all must know: the round, the step, the prices; few tokens are still outside"),
            ["auction_seat"] = (2.25, "each expert's block looks through what all tokens want"),
            ["auction_close"] = (16, "each warp reads whether anybody is outside, and there is nothing else to do"),
            ["sinkhorn_start"] = (1.5, "a row is written, and read once more when its largest is known"),
            ["sinkhorn_round"] =
            (2.75, "each block reads its rows once for their factors and once for its sums, and the sums of all blocks: in the cache"),
            ["embedding_sort"] = (3, "each block of 256 ids looks through all ids, twice: little beside the sums over rows that follow"),
            ["grouped_add_pieces"] = (460, "where no expert has more rows than a piece, each warp reads the offsets and nothing else"),
            ["grouped_backward_input_64"] = (2.7, OfRows),
            ["grouped_backward_weight_64"] = (2.9, OfWeights),
            ["grouped_forward_64"] = (3.8, OfTokens),
            ["grouped_backward_input_narrow_64"] = (2.7, OfRows),
            ["grouped_forward_narrow_64"] = (3.8, OfTokens),
            ["grouped_backward_input_tf32_64"] = (2.7, OfRows),
            ["grouped_backward_weight_tf32_64"] = (2.9, OfWeights),
            ["grouped_forward_tf32_64"] = (3.8, OfTokens),
            ["grouped_backward_input_bfloat16_64"] = (2.7, OfRows),
            ["grouped_backward_weight_bfloat16_64"] = (2.9, OfWeights),
            ["grouped_forward_bfloat16_64"] = (3.8, OfTokens),
            ["attention_forward_64"] = (1.9, "each visible tile of 64 queries by 64 keys reads its rows of q, k and v"),
            ["attention_forward_128"] = (1.9, "each visible tile of 64 queries by 64 keys reads its rows of q, k and v"),
            ["attention_forward_one"] =
            (2.2, "each query head reads its keys and values, which it shares with others; each of its warps reads the query"),
            ["attend_new_4"] = (2.1, "keys that more than four query heads share are read once per four"),
            ["attend_new_bfloat16_4"] = (2.1, "keys that more than four query heads share are read once per four"),
            ["choose_merge"] = (1.5, "each candidate looks for its place among the others: in the cache"),
            ["choose_survey"] = (1.5, "all logits are looked at, and those that may be chosen are read by id"),
            ["choose_token"] = (5, "each warp reads what all must know: position, number, best logit; little beside the logits"),
            ["thin_product_bfloat16"] = (3.3, "rows of one expert read its weights each for itself; the row of a token is the only one"),
            ["thin_product_float16"] = (3.3, "rows of one expert read its weights each for itself; the row of a token is the only one"),
            ["attention_backward_queries_64"] =
            (2.3, "each visible tile reads its rows of q, k, dy, v and again k, and what is turned back its angles"),
            ["attention_backward_queries_128"] =
            (2.3, "each visible tile reads its rows of q, k, dy, v and again k, and what is turned back its angles"),
            ["attention_backward_own_keys_64"] = (2.6, "each visible tile reads its rows of q, k, dy, v and again q"),
            ["attention_backward_own_keys_128"] = (2.6, "each visible tile reads its rows of q, k, dy, v and again q"),
            ["attention_backward_own_values_64"] = (2.6, "each visible tile reads its rows of q, k and dy"),
            ["attention_backward_own_values_128"] = (2.6, "each visible tile reads its rows of q, k and dy"),
            ["attention_backward_keys_64"] = (2.6, "each visible tile reads its rows of q, k, dy, v and again dy and q"),
            ["attention_backward_keys_128"] = (2.6, "each visible tile reads its rows of q, k, dy, v and again dy and q"),
            ["attention_forward_bf16_64"] = (2.2, "each visible tile reads its rows of k and v; of one query each head reads shared ones"),
            ["attention_forward_bf16_128"] = (1.8, "each visible tile reads its rows of k and v"),
            ["attention_forward_bf16_256"] = (1.8, "each visible tile reads its rows of k and v"),
            ["attention_forward_tf32_64"] = (1.8, "each visible tile reads its rows of k and v"),
            ["attention_forward_tf32_128"] = (1.8, "each visible tile reads its rows of k and v"),
            ["attention_forward_tf32_256"] = (1.8, "each visible tile reads its rows of k and v"),
            ["attention_backward_queries_bf16_64"] = (1.6, "each visible tile reads its rows of k and v"),
            ["attention_backward_queries_bf16_128"] = (1.6, "each visible tile reads its rows of k and v"),
            ["attention_backward_queries_bf16_256"] = (1.6, "each visible tile reads its rows of k and v"),
            ["attention_backward_queries_tf32_64"] = (1.6, "each visible tile reads its rows of k and v"),
            ["attention_backward_queries_tf32_128"] = (1.6, "each visible tile reads its rows of k and v"),
            ["attention_backward_queries_tf32_256"] = (2.1, "each visible tile reads its rows of k and v"),
            ["attention_backward_keys_bf16_64"] = (1.4, "each visible tile reads its rows of q and dy"),
            ["attention_backward_keys_bf16_128"] = (1.4, "each visible tile reads its rows of q and dy"),
            ["attention_backward_keys_bf16_256"] = (2.4, "each visible tile reads its rows of q and dy, for each half of the columns"),
            ["attention_backward_keys_tf32_64"] = (1.4, "each visible tile reads its rows of q and dy"),
            ["attention_backward_keys_tf32_128"] = (1.4, "each visible tile reads its rows of q and dy"),
            ["attention_backward_keys_tf32_256"] = (3.4, "each visible tile reads its rows of q and dy, for each half of the columns"),
        };

    /// <summary>What takes other kernels where there are many tokens: work over blocks that hear of each other between launches.</summary>
    public static IEnumerable<KernelCase> ManyTokens { get; } =
    [
        .. KernelCaseList.Of(new KernelSizes(N: 4128, C: 8, V: 500, B: 1, H: 1, KvHeads: 1, D: 2, E: 8, K: 1, F: 1))
            .Where(c => c.Name is "EmbeddingBackward" or "CrossEntropyForward" or "AssignBalanced" or "Sinkhorn"),
    ];

    /// <summary>All cases at the typical size, stored and added; and those that launch other
    /// kernels at another size: wide heads, few tokens, long groups of tokens.</summary>
    private static IEnumerable<KernelCase> Cases()
    {
        KernelSizes typical = KernelSizes.Typical;
        return KernelCaseList.Of(typical)
            .Concat(Named(", added", KernelCaseList.Of(typical, adds: true)))
            .Concat(Named(
                ", wide heads", KernelCaseList.Of(typical with { H = 2, KvHeads = 1, D = 128 }).Where(c => c.Family == "Attention")))
            .Concat(Named(", few tokens", KernelCaseList.Of(typical with { N = 32, B = 1 }).Where(c => c.Family == "Routing")))
            .Concat(Named(", many tokens", ManyTokens))
            .Concat(Named(", one group", KernelCaseList.Of(typical with { B = 1 }).Where(c => c.Name == "ChooseTokens by sequence")));
    }

    /// <summary>Attention on tensor cores, with heads of each size of its kernels.</summary>
    private static IEnumerable<KernelCase> TensorCases() =>
        from D in (int[])[64, 128, 256]
        from inBfloat16 in (bool[])[false, true]
        let attention = new TensorAttention(new AttentionSizes(2, 128, 128, 2, 1, D), Dropout.None, inBfloat16)
        select new KernelCase(
            "Attention", $"heads of {D} in {(inBfloat16 ? "bfloat16" : "TF32")}", (b, _) => attention.Run((CudaBackend)b, adds: false));

    private static IEnumerable<KernelCase> Named(string variant, IEnumerable<KernelCase> cases) =>
        cases.Select(c => c with { Name = c.Name + variant });

    private static IEnumerable<KernelCost> Parse(string json, string name)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        foreach (JsonElement k in document.RootElement.EnumerateArray().ToArray())
        {
            long Of(string key) => k.GetProperty(key).GetInt64();
            yield return new KernelCost(
                k.GetProperty("kernel").GetString()!, name, Of("launches"), Of("threadInstructions"), Of("bytesRead") + Of("bytesWritten"),
                Of("leastRead") + Of("leastWritten"),
                Of("sectors"), Of("leastSectors"), Of("bankConflicts"), Of("divergentBranches"), Of("localBytes"),
                Of("bfloat16MultiplyAdds") + Of("tf32MultiplyAdds"), Of("floatFused") + Math.Min(Of("floatProducts"), Of("floatSums")));
        }
    }
}
