using System.CommandLine;
using System.Runtime.Intrinsics.X86;
using TinyMoE.Backends.Cpu;

namespace TinyMoE.Benchmarks;

/// <summary>
/// A width of vectors for everybody who is measured. .NET, OpenBLAS and PyTorch each read theirs from the environment when a process
/// starts, so a command that is to run at a width starts itself again with what is said here; it is said nowhere else.
/// </summary>
/// <param name="Bits">512, 256 or 128.</param>
/// <param name="DotNet">What .NET reads, which our kernels and TensorPrimitives follow; all others of its names are taken out.</param>
/// <param name="Torch">What PyTorch reads for its own loops; null for its own choice.</param>
/// <param name="OneDnn">What oneDNN reads, which PyTorch calls for some; null for its own choice.</param>
/// <param name="Kernels">OpenBLAS's kernels of that width: its own choice if it is one of them, else the first (of AMD's the last).</param>
internal sealed record VectorWidth(
    int Bits, (string Name, string Value) DotNet, string? Torch, string? OneDnn, params string[] Kernels)
{
    /// <summary>The variable that a process started from here has, the width asked for or 0: its other settings are ours.</summary>
    private const string Marker = "TINYMOE_BENCHMARK_BITS";

    /// <summary>The option's name.</summary>
    public const string Word = "--bits";

    private static readonly VectorWidth[] All =
    [
        // .NET prefers 256 bits on processors that slow down at 512, unless told.
        new(512, ("DOTNET_PreferredVectorBitWidth", "512"), null, null, "SkylakeX", "SapphireRapids", "Cooperlake"),
        new(256, ("DOTNET_EnableAVX512", "0"), "avx2", "AVX2", "Haswell", "Zen"),
        // Without AVX there is no fused multiply-add either, as on processors that have no more than 128 bits.
        new(128, ("DOTNET_EnableAVX", "0"), "default", "SSE41", "Nehalem"),
    ];

    /// <summary>What .NET reads of vectors, at any width.</summary>
    private static readonly string[] DotNetNames = [.. All.Select(width => width.DotNet.Name), "DOTNET_EnableAVX2"];

    /// <summary>Whether this process was started from here, so that its settings of OpenBLAS are ours.</summary>
    public static bool IsSet => Environment.GetEnvironmentVariable(Marker) is not null;

    private static VectorWidth Of(int bits) => Array.Find(All, width => width.Bits == bits)!;

    /// <summary>The option of a command that can run at any width.</summary>
    public static Option<int?> Option()
    {
        string known = string.Join(", ", All.Select(width => width.Bits));
        return new(Word)
        {
            HelpName = "N",
            Description = $"Width of vectors for ours and for the peers: {known}; as the machine has it if not said.",
            CustomParser = result =>
            {
                if (int.TryParse(result.Tokens[0].Value, out int bits) && Array.Exists(All, width => width.Bits == bits))
                    return bits;
                result.AddError($"{Word} is one of {known}, not '{result.Tokens[0].Value}'");
                return null;
            },
        };
    }

    /// <summary>
    /// Runs these words in a process of the width asked for, and returns its exit code; null where this process has that width
    /// already, and OpenBLAS a kernel of it.
    /// </summary>
    /// <exception cref="TinyMoEException">The machine does not have that width.</exception>
    public static int? Restart(string[] arguments, int? asked)
    {
        int bits = asked ?? Simd.Bits;
        if (IsSet)
            return bits == Simd.Bits
                ? null
                : throw new TinyMoEException($"this machine has no vectors of {bits} bits: .NET says {Simd.Bits}; ask for no more");
        string? kernel = Of(bits).Kernel(OpenBlas.Load()?.Kernel, takesWider: asked is null);
        if (bits == Simd.Bits && kernel is null)
            return null;
        Dictionary<string, string?> settings = new()
        {
            [Marker] = $"{asked ?? 0}", ["OPENBLAS_CORETYPE"] = kernel, ["OPENBLAS_L2_SIZE"] = null,
        };
        if (asked is not null)
        {
            foreach (string name in DotNetNames)
                settings[name] = name == Of(bits).DotNet.Name ? Of(bits).DotNet.Value : null;
        }

        return ChildProcess.PassThrough(arguments, settings);
    }

    /// <summary>What PyTorch's environment must say, where its OpenBLAS would choose <paramref name="ownKernel"/> by itself.</summary>
    public static Dictionary<string, string?> PeerSettings(string? ownKernel)
    {
        VectorWidth? asked = int.TryParse(Environment.GetEnvironmentVariable(Marker), out int bits) && bits > 0 ? Of(bits) : null;
        return new()
        {
            ["OPENBLAS_CORETYPE"] = (asked ?? Of(Simd.Bits)).Kernel(ownKernel, takesWider: asked is null),
            ["OPENBLAS_L2_SIZE"] = null,
            ["ATEN_CPU_CAPABILITY"] = asked?.Torch,
            ["ONEDNN_MAX_CPU_ISA"] = asked?.OneDnn,
        };
    }

    /// <summary>
    /// The kernel that OpenBLAS must be told; null where it finds one of this width, or where this is no x86. Of a processor that is newer
    /// than itself it takes one of the oldest, which has 128 bits. A wider one than ours is its good choice where no width was asked for.
    /// </summary>
    private string? Kernel(string? own, bool takesWider)
    {
        if (own is null || !X86Base.IsSupported || Array.Exists(All, width => width.Fits(Bits, takesWider) && width.Kernels.Contains(own)))
            return null;
        return Processor.IsAmd && Bits == 256 ? Kernels[^1] : Kernels[0];
    }

    private bool Fits(int bits, bool takesWider) => Bits == bits || (takesWider && Bits > bits);
}
