namespace TinyMoE.Memory;

/// <summary>How an element is kept in memory.</summary>
public enum ElementType
{
    /// <summary>32 bits: 24 of significance.</summary>
    Float32,

    /// <summary>16 bits: 8 of significance, the range of float32.</summary>
    Bfloat16,

    /// <summary>16 bits: 11 of significance, up to 65504. Only weights that do not train are kept so; nothing computes in it.</summary>
    [NotASetting]
    Float16,
}

/// <summary>Of a member of an enumeration: no setting of a run has this value.</summary>
[AttributeUsage(AttributeTargets.Field)]
internal sealed class NotASettingAttribute : Attribute;

/// <summary>What is known of an <see cref="ElementType"/>.</summary>
public static class ElementTypes
{
    /// <summary>Bytes of <paramref name="count"/> elements.</summary>
    public static long BytesOf(this ElementType type, long count) => type switch
    {
        ElementType.Float32 => count * sizeof(float),
        ElementType.Bfloat16 or ElementType.Float16 => count * sizeof(ushort),
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };
}
