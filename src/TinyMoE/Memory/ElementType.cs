namespace TinyMoE.Memory;

/// <summary>How an element is kept in memory.</summary>
public enum ElementType
{
    /// <summary>32 bits: 24 of significance.</summary>
    Float32,

    /// <summary>16 bits: 8 of significance, the range of float32.</summary>
    Bfloat16,
}
