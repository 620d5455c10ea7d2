using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Files;

/// <summary>Values of a file where it is mapped.</summary>
internal static unsafe class MappedValues
{
    private const int Piece = 1 << 20; // values that a thread looks at at a time

    /// <summary>Whether none of these values, in float32, bfloat16 or float16, is NaN or an infinity; all cores look.</summary>
    public static bool AreFinite(nint address, SafetensorsType type, long count)
    {
        if (count <= Piece)
            return IsFinite(address, type, (int)count);
        int bytes = type.BitsOf() / 8;
        return Parallel.For(0, Ceiling.Divide(count, Piece), (piece, loop) =>
        {
            long first = piece * Piece;
            if (!IsFinite(address + (nint)(first * bytes), type, (int)Math.Min(Piece, count - first)))
                loop.Stop();
        }).IsCompleted;
    }

    private static bool IsFinite(nint address, SafetensorsType type, int count) => type switch
    {
        SafetensorsType.Float32 => TensorPrimitives.IsFiniteAll(new ReadOnlySpan<float>((void*)address, count)),
        SafetensorsType.Bfloat16 => Bfloat16.IsFiniteAll(new ReadOnlySpan<ushort>((void*)address, count)),
        SafetensorsType.Float16 => Float16.IsFiniteAll(new ReadOnlySpan<ushort>((void*)address, count)),
        _ => throw new ArgumentException($"Values in {type.NameOf()} are not read in place."),
    };
}
