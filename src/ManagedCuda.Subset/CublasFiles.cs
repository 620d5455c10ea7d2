namespace ManagedCuda;

/// <summary>
/// Where cuBLAS may be: the newest that the driver can run first; of one version first what the environment names ($CUDA_PATH, an
/// activated Python or Conda environment), then what the loader finds, then the usual folders of CUDA and of Python, whose packages
/// of cuBLAS (nvidia-cublas) lie where no loader looks.
/// </summary>
internal static class CublasFiles
{
    private static readonly int[] Versions = [13, 12, 11];

    private static bool IsWindows => OperatingSystem.IsWindows();

    /// <summary>Files that are there, and names for the loader, in order.</summary>
    /// <param name="environment">The value of a variable of the environment; null or empty: it has none.</param>
    /// <param name="newest">The newest CUDA that the driver can run, as 12.</param>
    public static IEnumerable<string> Candidates(Func<string, string?> environment, int newest)
    {
        string[] named = [.. Named(environment)], usual = [.. Usual(environment)];
        foreach (int version in Versions.Where(version => version <= newest))
        {
            string name = IsWindows ? $"cublas64_{version}" : $"libcublas.so.{version}", file = IsWindows ? name + ".dll" : name;
            foreach (string there in Files(named, file))
                yield return there;
            yield return name;
            foreach (string there in Files(usual, file))
                yield return there;
        }

        if (!IsWindows)
            yield return "libcublas.so";
    }

    /// <summary>The libcublasLt beside a cuBLAS; null where there is none, or the cuBLAS is a name for the loader.</summary>
    public static string? CompanionOf(string file)
    {
        string name = Path.GetFileName(file);
        if (name.Length == file.Length || !name.Contains("cublas", StringComparison.Ordinal))
            return null;
        string companion = Path.Combine(
            Path.GetDirectoryName(file)!, name.Replace("cublas64", "cublasLt64", StringComparison.Ordinal)
                .Replace("libcublas.", "libcublasLt.", StringComparison.Ordinal));
        return companion != file && File.Exists(companion) ? Path.GetFullPath(companion) : null;
    }

    private static IEnumerable<string> Files(string[] folders, string file) =>
        folders.Select(folder => Path.Combine(folder, file)).Where(File.Exists);

    private static IEnumerable<string> Named(Func<string, string?> environment)
    {
        foreach (string toolkit in Values(environment, "CUDA_PATH", "CUDA_HOME"))
        {
            foreach (string folder in OfToolkit(toolkit))
                yield return folder;
        }

        foreach (string prefix in Values(environment, "VIRTUAL_ENV", "CONDA_PREFIX"))
        {
            yield return IsWindows ? Path.Combine(prefix, "Library", "bin") : Path.Combine(prefix, "lib");
            foreach (string folder in OfPython(prefix))
                yield return folder;
        }
    }

    private static IEnumerable<string> Usual(Func<string, string?> environment)
    {
        if (!IsWindows)
        {
            foreach (string folder in Folders("/usr/local", "cuda*").SelectMany(OfToolkit))
                yield return folder;
        }

        // Each Python on the path, and the user's own packages.
        IEnumerable<string> pythons = (environment("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Where(folder => File.Exists(Path.Combine(folder, IsWindows ? "python.exe" : "python3")))
            .Select(folder => IsWindows ? folder : Path.GetDirectoryName(folder.TrimEnd('/')) ?? "/");
        IEnumerable<string> own = IsWindows
            ? Values(environment, "APPDATA").SelectMany(folder => Folders(Path.Combine(folder, "Python"), "Python3*"))
            : [.. Values(environment, "HOME").Select(home => Path.Combine(home, ".local")), "/usr/local", "/usr"];
        foreach (string folder in pythons.Concat(own).Distinct().SelectMany(OfPython))
            yield return folder;
    }

    private static IEnumerable<string> OfToolkit(string root) => IsWindows
        ? [Path.Combine(root, "bin", "x64"), Path.Combine(root, "bin")]
        : [Path.Combine(root, "lib64"), Path.Combine(root, "targets", "x86_64-linux", "lib"), Path.Combine(root, "lib")];

    /// <summary>The folders of NVIDIA's packages (nvidia/cublas/lib, nvidia/cu13/lib) of the Pythons under a prefix.</summary>
    private static IEnumerable<string> OfPython(string prefix)
    {
        IEnumerable<string> packages = IsWindows
            ? [Path.Combine(prefix, "Lib", "site-packages"), Path.Combine(prefix, "site-packages")]
            : Folders(Path.Combine(prefix, "lib"), "python3*")
                .SelectMany(python => (string[])[Path.Combine(python, "site-packages"), Path.Combine(python, "dist-packages")]);
        return packages.SelectMany(folder => Folders(Path.Combine(folder, "nvidia"), "*"))
            .SelectMany(package => IsWindows
                ? (string[])[Path.Combine(package, "bin", "x86_64"), Path.Combine(package, "bin")]
                : [Path.Combine(package, "lib")]);
    }

    private static IEnumerable<string> Values(Func<string, string?> environment, params string[] names) =>
        names.Select(environment).OfType<string>().Where(value => value.Length > 0);

    /// <summary>Folders of this name, the longest and last name first
    /// (python3.13 before python3.9); none where nothing can be read.</summary>
    private static string[] Folders(string parent, string pattern)
    {
        try
        {
            return [.. Directory.EnumerateDirectories(parent, pattern).OrderByDescending(name => name.Length)
                .ThenByDescending(name => name, StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return [];
        }
    }
}
