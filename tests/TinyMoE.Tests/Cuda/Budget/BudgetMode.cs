using TinyMoE.Cuda;

namespace TinyMoE.Tests.Cuda.Budget;

/// <summary>What a step computes with: everything that changes the prediction and is no size of the model.</summary>
/// <param name="Name">As the command line says it.</param>
/// <param name="Summary">What it is, in a line.</param>
internal sealed record BudgetMode(string Name, string Summary)
{
    /// <summary>Products that are no experts'.</summary>
    public Arithmetic Dense { get; init; }

    /// <summary>Products of experts, forward and to their input.</summary>
    public Arithmetic Experts { get; init; }

    /// <summary>Gradients of experts' weights.</summary>
    public Arithmetic ExpertGradients { get; init; }

    /// <summary>Attention: float32 units, or a kernel for tensor cores.</summary>
    public Arithmetic Attention { get; init; }

    /// <summary>What multiplies for experts, as on the command line; null: cuBLAS in one call or in a call each, whichever takes less.
    /// Our own kernel neither waits nor uploads, and has SwiGLU and rounding inside.</summary>
    public GroupedProducts? Grouped { get; init; }

    /// <summary>Bytes of an activation: 4, or 2.</summary>
    public int ActivationBytes { get; init; } = 4;

    /// <summary>Whether the step is one graph, where it waits for no router.</summary>
    public bool Graph { get; init; }

    /// <summary>What can be asked for by name; the first three are as they were measured in docs/cuda.md.</summary>
    public static IReadOnlyList<BudgetMode> All { get; } =
    [
        new("float32", "nothing is rounded"),
        new("tf32", "--tensor-cores tf32")
        {
            Dense = Arithmetic.Tf32, Experts = Arithmetic.Tf32, ExpertGradients = Arithmetic.Tf32,
        },
        new("bfloat16-experts", "moe.expert_precision=bfloat16 --tensor-cores bfloat16") { Experts = Arithmetic.Bfloat16 },
        new("tf32-attention", "TF32 and attention on tensor cores")
        {
            Dense = Arithmetic.Tf32, Experts = Arithmetic.Tf32, ExpertGradients = Arithmetic.Tf32, Attention = Arithmetic.Tf32,
        },
        new("tf32-own", "the same, grouped products of our own, one graph")
        {
            Dense = Arithmetic.Tf32, Experts = Arithmetic.Tf32, ExpertGradients = Arithmetic.Tf32, Attention = Arithmetic.Tf32,
            Grouped = GroupedProducts.Own, Graph = true,
        },
        new("bfloat16", "activations and weight copies in bfloat16, attention on tensor cores, cuBLAS for experts")
        {
            Dense = Arithmetic.Bfloat16, Experts = Arithmetic.Bfloat16, ExpertGradients = Arithmetic.Bfloat16,
            Attention = Arithmetic.Bfloat16, ActivationBytes = 2,
        },
        new("bfloat16-own", "the same, grouped products of our own, one graph")
        {
            Dense = Arithmetic.Bfloat16, Experts = Arithmetic.Bfloat16, ExpertGradients = Arithmetic.Bfloat16,
            Attention = Arithmetic.Bfloat16, ActivationBytes = 2, Grouped = GroupedProducts.Own, Graph = true,
        },
        .. Defaults,
    ];

    /// <summary>What the command does where neither --grouped nor --graph is said.</summary>
    private static IEnumerable<BudgetMode> Defaults =>
        from precision in (Arithmetic[])[Arithmetic.Float32, Arithmetic.Tf32, Arithmetic.Bfloat16]
        let name = precision.ToString().ToLowerInvariant()
        let said = precision == Arithmetic.Float32 ? "no option" : $"train.precision={name}"
        select new BudgetMode($"{name}-default", $"{said}: --grouped auto, --graph auto, attention on tensor cores where they are used")
        {
            Dense = precision, Experts = precision, ExpertGradients = precision, Attention = precision,
            ActivationBytes = precision == Arithmetic.Bfloat16 ? 2 : 4, Grouped = GroupedProducts.Auto, Graph = true,
        };

    /// <summary>Whether a kernel of our own multiplies for the experts of a product: then nothing of it waits for the host.</summary>
    public bool IsOwn(int E, int N, int inputs, int outputs) => Grouped is { } grouped && GroupedChoice.IsOwn(
        new CudaOptions { Grouped = grouped, TensorCores = Experts == Arithmetic.Tf32 ? TensorCores.Tf32 : TensorCores.Off },
        isNarrow: Experts == Arithmetic.Bfloat16, E, N, inputs, outputs);

    /// <summary>The mode of that name.</summary>
    public static BudgetMode Get(string name) => All.FirstOrDefault(mode => mode.Name == name)
        ?? throw new TinyMoEException($"unknown mode '{name}' (known: {string.Join(", ", All.Select(mode => mode.Name))})");
}
