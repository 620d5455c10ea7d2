using System.Runtime.InteropServices;

namespace TinyMoE.Data;

/// <summary>Finds the documentation files of the newest .NET reference pack on this computer.</summary>
internal static class SdkLocator
{
    private const string Pack = "packs/Microsoft.NETCore.App.Ref";

    /// <summary>The XML files, in ordinal order of their names.</summary>
    public static string[] DocumentationFiles() => DocumentationFiles(Roots());

    /// <summary>The XML files of the newest pack below any of these .NET folders; of packs with the same version, of the first.</summary>
    internal static string[] DocumentationFiles(IEnumerable<string> roots)
    {
        IEnumerable<string[]> packs = roots
            .Select(root => Path.Combine(root, Pack))
            .Where(Directory.Exists)
            .SelectMany(Directory.GetDirectories)
            .OrderByDescending(folder => Number(folder))
            .ThenBy(folder => Path.GetFileName(folder).Contains('-')) // a release before its previews
            .ThenByDescending(Path.GetFileName, StringComparer.Ordinal)
            .Select(folder => Path.Combine(folder, "ref"))
            .SelectMany(folder => Directory.Exists(folder) ? Directory.GetDirectories(folder) : [])
            .Select(folder => Directory.GetFiles(folder, "*.xml").Order(StringComparer.Ordinal).ToArray());
        return packs.FirstOrDefault(files => files.Length > 0)
            ?? throw new TinyMoEException("The documentation of the .NET SDK (packs/Microsoft.NETCore.App.Ref) was not found: install the "
                + ".NET SDK, set DOTNET_ROOT to its folder, or pass a text with --data FILE.");
    }

    private static IEnumerable<string> Roots()
    {
        List<string?> roots =
        [
            Environment.GetEnvironmentVariable("DOTNET_ROOT"),
            Path.GetDirectoryName(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH")),
            Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..")), // of shared/NAME/10.0.0
        ];
        string command = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        string path = Environment.GetEnvironmentVariable("PATH") ?? "";
        foreach (string folder in path.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            FileInfo host = new(Path.Combine(folder, command));
            if (host.Exists)
                roots.Add((host.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? host).DirectoryName);
        }

        roots.AddRange(
        [
            Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".dotnet"),
            Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "dotnet"),
            "/usr/share/dotnet", "/usr/lib/dotnet", "/usr/lib64/dotnet", "/usr/local/share/dotnet",
        ]);
        return roots.OfType<string>().Where(root => root.Length > 0).Distinct();
    }

    private static Version Number(string folder) =>
        Version.TryParse(Path.GetFileName(folder).Split('-')[0], out Version? version) ? version : new Version();
}
