using System.Reflection;
using System.Runtime.Loader;

namespace TinyMoE.Cli;

/// <summary>
/// ASP.NET Core for the commands that need it. A program that names it among its frameworks finds and lists its 140 assemblies at every
/// start, which all commands would pay for; so this one does not, and its assemblies are looked for beside those of .NET when the first is
/// wanted.
/// </summary>
internal static class AspNetCore
{
    private const string Framework = "Microsoft.AspNetCore.App";

    /// <summary>Lets its assemblies be found.</summary>
    /// <exception cref="TinyMoEException">It is not installed.</exception>
    public static void MakeLoadable()
    {
        if (IsThere())
            return;
        if (Find() is not { } folder)
            throw Missing();
        AssemblyLoadContext.Default.Resolving += (context, name) =>
            Path.Combine(folder, name.Name + ".dll") is { } path && File.Exists(path) ? context.LoadFromAssemblyPath(path) : null;
        if (!IsThere())
            throw Missing();
    }

    private static bool IsThere()
    {
        try
        {
            return Assembly.Load("Microsoft.AspNetCore.Server.Kestrel.Core") is not null;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Its folder for the .NET that runs: of the same version, or else the newest of the same major one.</summary>
    private static string? Find()
    {
        if (Path.GetDirectoryName(typeof(object).Assembly.Location) is not { Length: > 0 } core)
            return null;
        string all = Path.Combine(core, "..", "..", Framework), same = Path.Combine(all, Path.GetFileName(core));
        if (Directory.Exists(same))
            return same;
        return !Directory.Exists(all) ? null : Directory.EnumerateDirectories(all)
            .Select(folder => (Folder: folder, Version: VersionOf(folder)))
            .Where(each => each.Version?.Major == Environment.Version.Major)
            .OrderByDescending(each => each.Version).Select(each => each.Folder).FirstOrDefault();
    }

    private static Version? VersionOf(string folder) => Version.TryParse(Path.GetFileName(folder), out Version? version) ? version : null;

    private static TinyMoEException Missing() => new(
        $"this command needs ASP.NET Core {Environment.Version.Major} ({Framework}), which is not installed beside .NET; install the "
        + "runtime of ASP.NET Core of the same version");
}
