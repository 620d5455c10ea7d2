namespace TinyMoE.Configuration;

/// <summary>How finely values are kept.</summary>
public enum Precision
{
    /// <summary>32 bits: 24 of significance.</summary>
    Float32,

    /// <summary>16 bits: 8 of significance, the range of float32.</summary>
    Bfloat16,
}
