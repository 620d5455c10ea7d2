using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace TinyMoE.Benchmarks;

/// <summary>The processor that figures are of.</summary>
internal static class Processor
{
    /// <summary>Its name as the maker wrote it into it; of others than x86 the architecture.</summary>
    public static string Name { get; } = X86Base.IsSupported ? BrandOf() : $"{RuntimeInformation.ProcessArchitecture} processor";

    /// <summary>Whether AMD made it.</summary>
    public static bool IsAmd { get; } = X86Base.IsSupported && X86Base.CpuId(0, 0).Ebx == BinaryPrimitives.ReadInt32LittleEndian("Auth"u8);

    /// <summary>48 letters in three leaves of four registers.</summary>
    private static string BrandOf()
    {
        const int First = unchecked((int)0x80000002), Leaves = 3;
        List<int> words = [];
        for (int leaf = First; leaf < First + Leaves; leaf++)
        {
            (int eax, int ebx, int ecx, int edx) = X86Base.CpuId(leaf, 0);
            words.AddRange([eax, ebx, ecx, edx]);
        }
        string text = Encoding.ASCII.GetString(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(words))).Split('\0')[0];
        return string.Join(' ', text.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }
}
