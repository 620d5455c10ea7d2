using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// The data caches of one core, as far as blocking needs them: how products are cut follows from them (<see cref="CpuBackend"/>), what
/// they compute does not. Read from the system once (Linux, macOS, Windows), or from the processor where the system does not tell (x86);
/// what neither knows is as small as processors of the last ten years have it.
/// </summary>
/// <param name="FirstLevel">Bytes of the first level's data cache.</param>
/// <param name="FirstLevelWays">Lines with the same place in it.</param>
/// <param name="SecondLevel">Bytes of the second level.</param>
internal sealed partial record Caches(int FirstLevel, int FirstLevelWays, int SecondLevel)
{
    /// <summary>Bytes of a line.</summary>
    public const int Line = 64;

    /// <summary>Where nothing is known.</summary>
    public static readonly Caches Smallest = new(FirstLevel: 32 * 1024, FirstLevelWays: 8, SecondLevel: 256 * 1024);

    private const int Largest = 64 * 1024 * 1024; // what says more than that is not one core's second level

    /// <summary>Those of this machine.</summary>
    public static Caches Here { get; } = Of(Read());

    /// <summary>Bytes from a line to the next with the same place in the first level.</summary>
    public int Way => FirstLevel / FirstLevelWays;

    /// <summary>
    /// Whether lines at a distance of <paramref name="stride"/> bytes crowd each other out of the first level: <paramref name="lines"/> of
    /// them share so few places that less than half of those would be left for anything else.
    /// </summary>
    public bool Conflicts(long lines, long stride)
    {
        long step = stride, way = Way;
        while (way != 0) // the greatest common divisor: all places that the stride comes to are so far apart, or a line
            (step, way) = (way, step % way);
        return lines > FirstLevel / Math.Max(Line, step) / 2;
    }

    /// <summary>What was read, with <see cref="Smallest"/> for what is missing or cannot be.</summary>
    internal static Caches Of((long FirstLevel, long Ways, long SecondLevel) read) => new(
        read.FirstLevel is >= 4096 and <= Largest ? (int)read.FirstLevel : Smallest.FirstLevel,
        read.FirstLevel is >= 4096 and <= Largest && read.Ways is > 0 and <= 64 && read.FirstLevel % (read.Ways * Line) == 0
            ? (int)read.Ways
            : Smallest.FirstLevelWays,
        read.SecondLevel is >= 64 * 1024 and <= Largest ? (int)read.SecondLevel : Smallest.SecondLevel);

    private static (long FirstLevel, long Ways, long SecondLevel) Read()
    {
        try
        {
            (long, long, long SecondLevel) read = OperatingSystem.IsLinux() ? ReadLinux("/sys/devices/system/cpu/cpu0/cache")
                : OperatingSystem.IsMacOS() ? (Sysctl("hw.perflevel0.l1dcachesize", "hw.l1dcachesize"), 0,
                    Sysctl("hw.perflevel0.l2cachesize", "hw.l2cachesize"))
                : OperatingSystem.IsWindows() ? ReadWindows()
                : default;
            return read.SecondLevel > 0 || !X86Base.IsSupported ? read : ReadProcessor();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DllNotFoundException or EntryPointNotFoundException)
        {
            return X86Base.IsSupported ? ReadProcessor() : default;
        }
    }

    /// <summary>Linux: a folder for each cache with small files of text: level, type, size ("48K"), ways_of_associativity.</summary>
    internal static (long FirstLevel, long Ways, long SecondLevel) ReadLinux(string folder)
    {
        (long, long, long) found = default;
        foreach (string cache in Directory.Exists(folder) ? Directory.GetDirectories(folder, "index*") : [])
        {
            string Text(string name) => File.Exists(Path.Combine(cache, name)) ? File.ReadAllText(Path.Combine(cache, name)).Trim() : "";
            if (Text("type") is "Data" or "Unified")
                found = With(found, Bytes(Text("level")), Bytes(Text("size")), Bytes(Text("ways_of_associativity")));
        }

        return found;
    }

    /// <summary>What was found, and a cache of that level.</summary>
    private static (long FirstLevel, long Ways, long SecondLevel) With(
        (long FirstLevel, long Ways, long SecondLevel) found, long level, long bytes, long ways) => level switch
        {
            1 => (bytes, ways, found.SecondLevel),
            2 => (found.FirstLevel, found.Ways, bytes),
            _ => found,
        };

    /// <summary>"48K", "2M" or "65536" in bytes; 0 for anything else.</summary>
    private static long Bytes(string text)
    {
        long unit = text.EndsWith('K') ? 1024 : text.EndsWith('M') ? 1024 * 1024 : 1;
        return long.TryParse(unit > 1 ? text[..^1] : text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            && number <= Largest ? number * unit : 0;
    }

    /// <summary>x86: leaf 4 of Intel, 0x8000001D of AMD, one cache per subleaf: ways − 1, partitions − 1 and line − 1 in ebx, sets − 1 in
    /// ecx (Intel SDM, volume 2, CPUID; AMD APM, volume 3, appendix E).</summary>
    private static (long FirstLevel, long Ways, long SecondLevel) ReadProcessor()
    {
        const int Amd = unchecked((int)0x8000001D), AmdLargest = unchecked((int)0x80000000);
        bool isAmd = (uint)X86Base.CpuId(AmdLargest, 0).Eax >= unchecked((uint)Amd) && X86Base.CpuId(Amd, 0).Eax != 0;
        (long, long, long) found = default;
        for (int index = 0; index < 8; index++)
        {
            (int eax, int ebx, int ecx, _) = X86Base.CpuId(isAmd ? Amd : 4, index);
            (int type, int level) = (eax & 31, (eax >> 5) & 7);
            if (type == 0)
                break;
            long ways = ((ebx >> 22) & 0x3FF) + 1, bytes = ways * (((ebx >> 12) & 0x3FF) + 1) * ((ebx & 0xFFF) + 1) * ((long)(uint)ecx + 1);
            if (type is 1 or 3) // data, or both
                found = With(found, level, bytes, ways);
        }

        return found;
    }

    private static long Sysctl(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            long value = 0;
            nint size = sizeof(long);
            if (SystemControl(name, ref value, ref size, 0, 0) == 0 && value > 0)
                return size == sizeof(int) ? (int)value : value;
        }

        return 0;
    }

    /// <summary>Windows: CACHE_RELATIONSHIP records; of every core the same, so the last one is as good as the first.</summary>
    private static (long FirstLevel, long Ways, long SecondLevel) ReadWindows()
    {
        const int Cache = 2, Header = 8, Instructions = 1;
        int length = 0;
        ProcessorInformation(Cache, null, ref length);
        byte[] records = new byte[Math.Max(length, 0)];
        (long, long, long) found = default;
        if (length == 0 || !ProcessorInformation(Cache, records, ref length))
            return default;
        for (int at = 0, size; at + Header + 12 <= length; at += size)
        {
            size = BitConverter.ToInt32(records, at + 4);
            (byte level, byte ways) = (records[at + Header], records[at + Header + 1]);
            uint bytes = BitConverter.ToUInt32(records, at + Header + 4);
            if (size <= 0)
                break;
            if (BitConverter.ToInt32(records, at + Header + 8) != Instructions)
                found = With(found, level, bytes, ways);
        }

        return found;
    }

    [LibraryImport("libc", EntryPoint = "sysctlbyname", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SystemControl(string name, ref long value, ref nint size, nint newValue, nint newSize);

    [LibraryImport("kernel32", EntryPoint = "GetLogicalProcessorInformationEx")]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool ProcessorInformation(int relationship, byte[]? buffer, ref int length);
}
