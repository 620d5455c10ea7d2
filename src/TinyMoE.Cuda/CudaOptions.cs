namespace TinyMoE.Cuda;

/// <summary>Whether matrix products may use tensor cores, at the price of precision.</summary>
public enum TensorCores
{
    /// <summary>Float32 all the way, as the CPU.</summary>
    Off,

    /// <summary>Operands of float32 products, and of those in attention, are rounded to TF32: 10 bits of mantissa.</summary>
    Tf32,

    /// <summary>Products with weights in bfloat16 round their other operand to bfloat16 as well;
    /// those of float32 stay as they are; attention is as with <see cref="Tf32"/>.</summary>
    Bfloat16,
}

/// <summary>How the products of experts, which differ in their rows, are multiplied.</summary>
public enum GroupedProducts
{
    /// <summary>Small ones as <see cref="Own"/>, larger ones as <see cref="Cublas"/>, large ones as <see cref="Loop"/>; where steps must be
    /// graphs (<see cref="GraphUse.On"/>) all as <see cref="Own"/>. Sizes alone choose: a run keeps its bits.</summary>
    Auto,

    /// <summary>One call of cuBLAS for all experts, where it takes them (12.4 or newer); else as <see cref="Loop"/>.</summary>
    Cublas,

    /// <summary>One call of cuBLAS per expert.</summary>
    Loop,

    /// <summary>A kernel of our own for all experts, which reads their rows on the device: the host waits for no router. On tensor cores
    /// as <see cref="TensorCores"/> says; where they are for bfloat16, the gradients of weights are made in TF32, which holds such numbers
    /// as they are, and so rounds nothing of experts that compute in bfloat16.</summary>
    Own,
}

/// <summary>Whether the steps of a training are recorded and each is launched as a whole, as a CUDA graph.</summary>
public enum GraphUse
{
    /// <summary>Where all of a step can be recorded.</summary>
    Auto,

    /// <summary>Always: a step that cannot be recorded is an error.</summary>
    On,

    /// <summary>Never: every kernel is a launch of its own.</summary>
    Off,
}

/// <summary>What a <see cref="CudaBackend"/> may do.</summary>
public sealed record CudaOptions
{
    /// <summary>Tensor cores: off, unless asked for.</summary>
    public TensorCores TensorCores { get; init; }

    /// <summary>The products of experts.</summary>
    public GroupedProducts Grouped { get; init; }

    /// <summary>The steps of a training.</summary>
    public GraphUse Graph { get; init; }

    /// <summary>Whether queries, keys and values are one product: tests compare it with three.</summary>
    internal bool JoinsProjections { get; init; } = true;
}
