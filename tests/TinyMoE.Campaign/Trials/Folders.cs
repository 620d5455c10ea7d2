namespace TinyMoE.Campaign;

/// <summary>Folders as a whole.</summary>
internal static class Folders
{
    private const string InMemory = "/dev/shm";

    /// <summary>A new folder, in memory where the system has such: the calls are what is tried, not the disk.</summary>
    public static string NewTemporary()
    {
        if (!Directory.Exists(InMemory))
            return Directory.CreateTempSubdirectory("tinymoe-campaign").FullName;
        string folder = Path.Combine(InMemory, $"tinymoe-campaign-{Environment.ProcessId}-{Path.GetRandomFileName()}");
        return Directory.CreateDirectory(folder).FullName;
    }

    /// <summary>Copies a folder to where none is.</summary>
    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (string inner in Directory.EnumerateDirectories(from))
            Copy(inner, Path.Combine(to, Path.GetFileName(inner)));
    }

    /// <summary>Deletes a folder that may be there.</summary>
    public static void Delete(string folder)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
    }
}
