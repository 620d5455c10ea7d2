using System.Diagnostics;
using System.Globalization;

namespace TinyMoE.Memory;

/// <summary>The memory that this process can have of its machine: built in and swap, or less where a control group says so.</summary>
internal static class MachineMemory
{
    private const string Groups = "/sys/fs/cgroup";

    /// <summary>Bytes; whether they are free is not asked.</summary>
    public static long Bytes { get; } = OperatingSystem.IsLinux() ? OfLinux(TryRead) : OfRuntime();

    /// <summary>The most memory that this process has had at once.</summary>
    public static long PeakResidentBytes()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    /// <summary>
    /// From what the kernel's files say; <paramref name="read"/> gives the text of a file, or null. A control group that limits memory
    /// leaves the swap.
    /// </summary>
    internal static long OfLinux(Func<string, string?> read)
    {
        string machine = read("/proc/meminfo") ?? "";
        if (Kilobytes(machine, "MemTotal:") is not { } memory)
            return OfRuntime();
        long most = memory, swap = Kilobytes(machine, "SwapTotal:") ?? 0;
        foreach (string file in LimitsOf(read("/proc/self/cgroup") ?? ""))
        {
            if (long.TryParse(read(file)?.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long limit) && limit > 0)
                most = Math.Min(most, limit);                    // "max", or a number beyond any memory: there is no limit
        }

        return most + swap;
    }

    /// <summary>The files that may limit the process: of its control group and of those around it, in both versions.</summary>
    private static IEnumerable<string> LimitsOf(string groups)
    {
        foreach (string line in groups.Split('\n'))
        {
            if (line.Split(':', 3) is not [string number, string controllers, string path])
                continue;
            bool isUnified = number == "0" && controllers.Length == 0;
            if (!isUnified && !controllers.Split(',').Contains("memory"))
                continue;
            string root = isUnified ? Groups : $"{Groups}/memory", name = isUnified ? "memory.max" : "memory.limit_in_bytes";
            for (string group = path.TrimEnd('/'); ; group = group[..group.LastIndexOf('/')])
            {
                yield return $"{root}{group}/{name}";
                if (!group.Contains('/', StringComparison.Ordinal))
                    break;
            }
        }
    }

    private static long? Kilobytes(string meminfo, string name)
    {
        string? line = meminfo.Split('\n').FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal));
        string number = line?[name.Length..].Replace("kB", "", StringComparison.Ordinal).Trim() ?? "";
        return long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long kilobytes) ? kilobytes * 1024 : null;
    }

    private static long OfRuntime() => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    private static string? TryRead(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
