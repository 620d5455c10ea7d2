namespace TinyMoE.Tests.Cuda.Budget;

/// <summary>How the products of experts are multiplied.</summary>
internal enum ExpertProducts
{
    /// <summary>One call of cuBLAS, or a call each, whichever takes less time.</summary>
    Auto,

    /// <summary>One call of cuBLAS for all experts.</summary>
    Cublas,

    /// <summary>A call each.</summary>
    Loop,

    /// <summary>A kernel of our own that reads the sizes on the device: no wait, no upload, SwiGLU and rounding inside.</summary>
    Own,
}

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

    /// <summary>The call of experts' products.</summary>
    public ExpertProducts Grouped { get; init; }

    /// <summary>Bytes of an activation: 4, or 2.</summary>
    public int ActivationBytes { get; init; } = 4;

    /// <summary>Whether the step is one graph.</summary>
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
            Grouped = ExpertProducts.Own, Graph = true,
        },
        new("bfloat16", "activations and weight copies in bfloat16, attention on tensor cores, cuBLAS for experts")
        {
            Dense = Arithmetic.Bfloat16, Experts = Arithmetic.Bfloat16, ExpertGradients = Arithmetic.Bfloat16,
            Attention = Arithmetic.Bfloat16, ActivationBytes = 2,
        },
        new("bfloat16-own", "the same, grouped products of our own, one graph")
        {
            Dense = Arithmetic.Bfloat16, Experts = Arithmetic.Bfloat16, ExpertGradients = Arithmetic.Bfloat16,
            Attention = Arithmetic.Bfloat16, ActivationBytes = 2, Grouped = ExpertProducts.Own, Graph = true,
        },
    ];

    /// <summary>The mode of that name.</summary>
    public static BudgetMode Get(string name) => All.FirstOrDefault(mode => mode.Name == name)
        ?? throw new TinyMoEException($"unknown mode '{name}' (known: {string.Join(", ", All.Select(mode => mode.Name))})");
}
