using System.Globalization;

namespace TinyMoE.Campaign;

/// <summary>A call in the log of the shim.</summary>
/// <param name="Number">Its place, from 1.</param>
/// <param name="Name">The function.</param>
/// <param name="Path">The file or folder.</param>
/// <param name="Other">The second path, or the size of what is opened or flushed.</param>
internal sealed record Call(int Number, string Name, string Path, string Other)
{
    /// <summary>Whether it changes what a file holds.</summary>
    public bool Writes => Name.Contains("write", StringComparison.Ordinal);

    /// <summary>Reads a log.</summary>
    public static List<Call> ReadLog(string log) =>
        [.. File.ReadLines(log).Select(line => line.Split('\t'))
            .Select(parts => new Call(int.Parse(parts[0], CultureInfo.InvariantCulture), parts[1], parts[2], parts[3]))];
}

/// <summary>
/// What a power failure takes: of each file, what was written behind its size at its last flush. Names and folders are taken as they
/// are, as a file system with a journal of them keeps them.
/// </summary>
internal static class Unflushed
{
    /// <summary>Cuts the files that the calls of a log wrote and did not flush, and names them.</summary>
    public static string Lose(string log)
    {
        Dictionary<string, long> onDisk = []; // bytes of each file that a power failure leaves
        HashSet<string> written = [];         // files that have more
        foreach (Call call in Call.ReadLog(log))
            Follow(call, onDisk, written);
        List<string> lost = [];
        foreach (string path in written.Where(File.Exists).Order(StringComparer.Ordinal))
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Write);
            if (file.Length <= onDisk[path])
                continue;
            lost.Add($"{file.Length - onDisk[path]} bytes of {Path.GetFileName(path)}");
            file.SetLength(onDisk[path]);
        }

        return lost.Count == 0 ? "nothing" : string.Join(" and ", lost);
    }

    private static void Follow(Call call, Dictionary<string, long> onDisk, HashSet<string> written)
    {
        _ = long.TryParse(call.Other, CultureInfo.InvariantCulture, out long size);
        if (call.Name.StartsWith("open", StringComparison.Ordinal) || call.Name.StartsWith("creat", StringComparison.Ordinal))
        {
            onDisk.TryAdd(call.Path, size);
        }
        else if (call.Writes || call.Name.StartsWith("ftruncate", StringComparison.Ordinal))
        {
            written.Add(call.Path);
            if (!call.Writes)
                onDisk[call.Path] = 0;
        }
        else if (call.Name is "fsync" or "fdatasync" && call.Other.Length > 0)
        {
            written.Remove(call.Path);
            onDisk[call.Path] = size;
        }
        else if (call.Name.StartsWith("unlink", StringComparison.Ordinal))
        {
            written.Remove(call.Path);
            onDisk.Remove(call.Path);
        }
        else if (call.Name.StartsWith("rename", StringComparison.Ordinal))
        {
            Rename(call, onDisk, written);
        }
    }

    /// <summary>What was known by a name, or below it, is known by the new one.</summary>
    private static void Rename(Call call, Dictionary<string, long> onDisk, HashSet<string> written)
    {
        string below = call.Path + '/';
        string[] moving = [.. onDisk.Keys.Where(path => path == call.Path || path.StartsWith(below, StringComparison.Ordinal))];
        foreach (string path in moving)
        {
            string moved = call.Other + path[call.Path.Length..];
            onDisk.Remove(path, out long size);
            onDisk[moved] = size;
            written.Remove(moved);
            if (written.Remove(path))
                written.Add(moved);
        }
    }
}
