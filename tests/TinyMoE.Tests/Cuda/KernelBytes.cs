using System.Text.Json;

namespace TinyMoE.Tests.Cuda;

/// <summary>Launches of a kernel, and the global bytes that they moved, as the emulated device counted them.</summary>
/// <param name="Name">The kernel of the PTX.</param>
/// <param name="Launches">How often.</param>
/// <param name="Bytes">Read and written.</param>
/// <param name="LeastBytes">Each byte read once and each written once in a launch.</param>
internal sealed record KernelBytes(string Name, long Launches, long Bytes, long LeastBytes)
{
    /// <summary>What was counted since the last call, under the setting <c>count</c>.</summary>
    public static IReadOnlyList<KernelBytes> Take() => Parse(Emulator.TakeCounters());

    /// <summary>The kernels in the counters that the emulator gives as JSON.</summary>
    public static IReadOnlyList<KernelBytes> Parse(string counters)
    {
        using JsonDocument document = JsonDocument.Parse(counters);
        return
        [
            .. document.RootElement.EnumerateArray().GroupBy(kernel => kernel.GetProperty("kernel").GetString()!).Select(group =>
            {
                long Sum(string key) => group.Sum(kernel => kernel.GetProperty(key).GetInt64());
                return new KernelBytes(
                    group.Key, Sum("launches"), Sum("bytesRead") + Sum("bytesWritten"), Sum("leastRead") + Sum("leastWritten"));
            }),
        ];
    }
}
