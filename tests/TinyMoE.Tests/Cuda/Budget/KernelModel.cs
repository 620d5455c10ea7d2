using TinyMoE.Cuda;

namespace TinyMoE.Tests.Cuda.Budget;

/// <summary>What a kernel of the contract is on a card: the row of the budget it belongs to, and how many launches it takes.</summary>
/// <param name="Kind">The row, as in docs/cuda.md.</param>
/// <param name="Launches">Of our kernels, by the sizes in its profile's name; of products of experts where they are cuBLAS's.</param>
/// <param name="IsOfActivations">Whether what it moves shrinks with activations in 16 bits.</param>
internal sealed record KernelModel(string Kind, Func<int[], int> Launches, bool IsOfActivations = true)
{
    /// <summary>Launches of a product of experts by a kernel of our own, by its sizes and the number of experts.</summary>
    public Func<int[], int, int> OwnLaunches { get; private init; } = (_, _) => 0;

    /// <summary>The rows of a budget.</summary>
    public const string Experts = "products of experts", Products = "other products", Attention = "attention", Norms = "norms",
        Routing = "routing, dispatch, combine", SwiGlu = "SwiGLU", Optimizer = "AdamW, gradient's norm", Embedding = "embedding",
        Losses = "losses", Rest = "rope, sums, copies";

    /// <summary>The rows, in the order they are shown in.</summary>
    public static IReadOnlyList<string> Kinds { get; } =
        [Experts, Products, Attention, Norms, Routing, SwiGlu, Optimizer, Embedding, Losses, Rest];

    /// <summary>All kernels that are not one launch of the row <see cref="Rest"/>.</summary>
    private static readonly Dictionary<string, KernelModel> Known = new(StringComparer.Ordinal)
    {
        ["GroupedMatMul"] = OfExperts((_, _) => 1),
        ["GroupedMatMulBackwardInput"] = OfExperts((_, _) => 1),
        ["GroupedMatMulBackwardWeight"] = OfExperts(LaunchesOfPieces),
        ["GatheredMatMul"] = OfExperts((_, _) => 1),
        ["GatheredMatMulBackwardWeight"] = OfExperts(LaunchesOfPieces),
        ["GroupedSum"] = Of(Experts, 1),
        ["GroupedBroadcast"] = Of(Experts, 1),
        ["MatMul"] = Of(Products, 0),
        ["AttentionForward"] = Of(Attention, 1),
        ["AttentionBackward"] = Of(Attention, 3),
        ["AttentionSinksForward"] = Of(Attention, 1),
        ["AttentionSinksBackward"] = Of(Attention, 2),
        ["AttendNewToken"] = Of(Attention, 2),
        ["RmsNormForward"] = Of(Norms, 1),
        ["RmsNormBackward"] = Of(Norms, 2),
        ["LayerNormForward"] = Of(Norms, 1),
        ["LayerNormBackward"] = Of(Norms, 3),
        ["TopK"] = OfRouter(1),
        ["Assign"] = OfRouter(3),
        ["RouteForward"] = new(Routing, sizes => sizes[0] <= 32 ? 1 : 3, IsOfActivations: false),
        ["RouteBackward"] = OfRouter(1),
        ["SelectColumns"] = OfRouter(1),
        ["ScatterColumns"] = OfRouter(1),
        ["Scatter"] = OfRouter(2),
        ["CountChoices"] = OfRouter(1),
        ["KeepChoices"] = OfRouter(1),
        ["LimitCapacity"] = OfRouter(4),
        ["ChooseTokens"] = OfRouter(1),
        ["LookUpChoices"] = OfRouter(1),
        ["ChooseInGroups"] = OfRouter(1),
        ["AssignBalanced"] = new(Routing, sizes => sizes[0] < 2048 ? 1 : 203, IsOfActivations: false),
        ["Sinkhorn"] = new(Routing, sizes => (long)sizes[0] * sizes[1] <= 1 << 15 ? 1 : 102, IsOfActivations: false),
        ["StepBias"] = OfRouter(1),
        ["DispatchForward"] = Of(Routing, 1),
        ["DispatchBackward"] = Of(Routing, 1),
        ["CombineForward"] = Of(Routing, 1),
        ["CombineBackward"] = Of(Routing, 1),
        ["SwiGluForward"] = Of(SwiGlu, 1),
        ["SwiGluBackward"] = Of(SwiGlu, 1),
        ["ClampedSwiGluForward"] = Of(SwiGlu, 1),
        ["ClampedSwiGluBackward"] = Of(SwiGlu, 1),
        ["AdamW"] = Of(Optimizer, 1) with { IsOfActivations = false },
        ["Norm"] = Of(Optimizer, 2) with { IsOfActivations = false },
        ["EmbeddingForward"] = Of(Embedding, 1),
        ["EmbeddingBackward"] = new(Embedding, sizes => sizes[0] <= 512 ? 2 : 4), // of at most 256 ids; with more there are more digits
        ["CrossEntropyForward"] = new(Losses, sizes => sizes[0] <= 2048 ? 2 : 3, IsOfActivations: false),
        ["CrossEntropyBackward"] = Of(Losses, 2) with { IsOfActivations = false },
        ["ZLossForward"] = Of(Losses, 2) with { IsOfActivations = false },
        ["ZLossBackward"] = Of(Losses, 1) with { IsOfActivations = false },
        ["BalanceLossForward"] = Of(Losses, 2) with { IsOfActivations = false },
        ["BalanceLossBackward"] = Of(Losses, 1) with { IsOfActivations = false },
        ["ChooseToken"] = new(Losses, sizes => 2 + MergesOf(sizes[0]), IsOfActivations: false), // sorted
        ["SoftmaxForward"] = OfRouter(1),
        ["SoftmaxBackward"] = OfRouter(1),
        ["SumRows"] = new(Rest, sizes => sizes[0] <= 32 ? 1 : 2),
        ["Fill"] = Of(Rest, 0), // the driver's
        ["Write"] = Of(Rest, 0),
        ["Read"] = Of(Rest, 0),
        ["ReadCounts"] = Of(Rest, 0),
    };

    /// <summary>What <paramref name="kernel"/> of the contract is.</summary>
    public static KernelModel Get(string kernel) => Known.TryGetValue(kernel, out KernelModel? model) ? model : Of(Rest, 1);

    /// <summary>How often runs of 2048 are merged two by two until one is left.</summary>
    private static int MergesOf(int candidates) => Math.Max(0, (int)Math.Ceiling(Math.Log2(candidates / 2048.0)));

    private static KernelModel OfExperts(Func<int[], int, int> own) => Of(Experts, 0) with { OwnLaunches = own };

    /// <summary>A gradient of weights, rows x outputs x inputs, and what adds its pieces where an expert may have several.</summary>
    private static int LaunchesOfPieces(int[] sizes, int E) =>
        new CudaBackend.PieceSizes(E, N: sizes[0], inputs: sizes[2], outputs: sizes[1], areAligned: true).MostExtra > 0 ? 2 : 1;

    private static KernelModel Of(string kind, int launches) => new(kind, _ => launches);

    private static KernelModel OfRouter(int launches) => new(Routing, _ => launches, IsOfActivations: false);
}
