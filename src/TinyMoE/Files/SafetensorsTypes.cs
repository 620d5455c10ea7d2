namespace TinyMoE.Files;

/// <summary>How a safetensors file keeps the elements of a tensor.</summary>
public enum SafetensorsType
{
    /// <summary>float32, which is what files call F32.</summary>
    Float32,

    /// <summary>The upper half of a float32: BF16.</summary>
    Bfloat16,

    /// <summary>IEEE's half precision: F16.</summary>
    Float16,

    /// <summary>Eight bits without infinities, up to 448: F8_E4M3.</summary>
    Float8E4M3,

    /// <summary>Bytes, also of formats that safetensors does not know: U8.</summary>
    UInt8,

    /// <summary>I8, which no weights are read from.</summary>
    Int8,

    /// <summary>BOOL, which no weights are read from.</summary>
    Bool,

    /// <summary>I16, which no weights are read from.</summary>
    Int16,

    /// <summary>U16, which no weights are read from.</summary>
    UInt16,

    /// <summary>I32, which no weights are read from.</summary>
    Int32,

    /// <summary>U32, which no weights are read from.</summary>
    UInt32,

    /// <summary>I64, which no weights are read from.</summary>
    Int64,

    /// <summary>U64, which no weights are read from.</summary>
    UInt64,

    /// <summary>F64, which no weights are read from.</summary>
    Float64,

    /// <summary>C64, which no weights are read from.</summary>
    Complex64,

    /// <summary>F8_E5M2, which no weights are read from.</summary>
    Float8E5M2,

    /// <summary>F8_E8M0, powers of two, which no weights are read from.</summary>
    Float8E8M0,

    /// <summary>F8_E4M3FNUZ, which no weights are read from.</summary>
    Float8E4M3Fnuz,

    /// <summary>F8_E5M2FNUZ, which no weights are read from.</summary>
    Float8E5M2Fnuz,

    /// <summary>F6_E2M3, which no weights are read from.</summary>
    Float6E2M3,

    /// <summary>F6_E3M2, which no weights are read from.</summary>
    Float6E3M2,

    /// <summary>F4, two to a byte, which no weights are read from.</summary>
    Float4,
}

/// <summary>What is known of a <see cref="SafetensorsType"/>: its name in files, and its size.</summary>
internal static class SafetensorsTypes
{
    private static readonly Dictionary<string, SafetensorsType> ByName =
        Enum.GetValues<SafetensorsType>().ToDictionary(NameOf, StringComparer.Ordinal);

    /// <summary>The type that files call <paramref name="name"/>; null: there is none.</summary>
    public static SafetensorsType? Find(string name) => ByName.TryGetValue(name, out SafetensorsType type) ? type : null;

    /// <summary>What files call it.</summary>
    public static string NameOf(this SafetensorsType type) => Known(type).Name;

    /// <summary>Bits of an element.</summary>
    public static int BitsOf(this SafetensorsType type) => Known(type).Bits;

    /// <summary>Whether weights may be kept so: what a <see cref="SafetensorsReader"/> widens to float32.</summary>
    public static bool IsOfWeights(this SafetensorsType type) =>
        type is SafetensorsType.Float32 or SafetensorsType.Bfloat16 or SafetensorsType.Float16 or SafetensorsType.Float8E4M3;

    private static (string Name, int Bits) Known(SafetensorsType type) => type switch
    {
        SafetensorsType.Float32 => ("F32", 32),
        SafetensorsType.Bfloat16 => ("BF16", 16),
        SafetensorsType.Float16 => ("F16", 16),
        SafetensorsType.Float8E4M3 => ("F8_E4M3", 8),
        SafetensorsType.UInt8 => ("U8", 8),
        SafetensorsType.Int8 => ("I8", 8),
        SafetensorsType.Bool => ("BOOL", 8),
        SafetensorsType.Int16 => ("I16", 16),
        SafetensorsType.UInt16 => ("U16", 16),
        SafetensorsType.Int32 => ("I32", 32),
        SafetensorsType.UInt32 => ("U32", 32),
        SafetensorsType.Int64 => ("I64", 64),
        SafetensorsType.UInt64 => ("U64", 64),
        SafetensorsType.Float64 => ("F64", 64),
        SafetensorsType.Complex64 => ("C64", 64),
        SafetensorsType.Float8E5M2 => ("F8_E5M2", 8),
        SafetensorsType.Float8E8M0 => ("F8_E8M0", 8),
        SafetensorsType.Float8E4M3Fnuz => ("F8_E4M3FNUZ", 8),
        SafetensorsType.Float8E5M2Fnuz => ("F8_E5M2FNUZ", 8),
        SafetensorsType.Float6E2M3 => ("F6_E2M3", 6),
        SafetensorsType.Float6E3M2 => ("F6_E3M2", 6),
        SafetensorsType.Float4 => ("F4", 4),
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };
}

/// <summary>A tensor in a safetensors file: bytes <see cref="Begin"/> to <see cref="End"/> of the values.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">How its elements are kept.</param>
/// <param name="Shape">Its sizes, outermost first; none for a scalar.</param>
/// <param name="Begin">Its first byte, counted from the end of the header.</param>
/// <param name="End">The byte after its last.</param>
public sealed record SafetensorsEntry(string Name, SafetensorsType Type, IReadOnlyList<int> Shape, long Begin, long End)
{
    /// <summary>Number of elements.</summary>
    public long Count { get; } = Shape.Aggregate(1L, (product, size) => checked(product * size));

    /// <summary>Bytes of its values.</summary>
    public long Bytes => End - Begin;

    /// <summary>Bytes of an element; 1 where several are packed together.</summary>
    internal int ElementBytes => Math.Max(1, Type.BitsOf() / 8);

    /// <summary>The shape as people write it.</summary>
    internal string ShapeText => SafetensorsReader.Text([.. Shape]);
}
