namespace TinyMoE.Benchmarks;

/// <summary>
/// A Python that has torch: this machine's, or the one of a Debian 13 in a folder, which <c>rivals/debian13.sh</c> makes.
/// </summary>
/// <param name="Program">What is started.</param>
/// <param name="Before">Its first words, before those for Python.</param>
/// <param name="Scripts">Where it finds the scripts of the folder rivals.</param>
internal sealed record RivalPython(string Program, string[] Before, string Scripts)
{
    // Prints the kernel that the OpenBLAS of this Python takes.
    private const string AsksKernel =
        "import ctypes; f = ctypes.CDLL('libopenblas.so.0').openblas_get_corename; f.restype = ctypes.c_char_p; print(f().decode())";

    private static readonly string Rivals = Path.Combine(AppContext.BaseDirectory, "rivals");

    private Dictionary<string, string?>? settings;

    /// <summary>The first of the usual programs (or the one given) that can import torch; null where none can.</summary>
    public static RivalPython? Find(string? given)
    {
        string[] candidates = given is null ? ["python3", "/usr/bin/python3", "python"] : [given];
        string? found = Array.Find(candidates, program => ChildProcess.Start(program, ["-c", "import torch"]) is { Code: 0 });
        return found is null ? null : new RivalPython(found, [], Rivals);
    }

    /// <summary>The one of the Debian 13 in <paramref name="root"/>, which is made where it is not there: that takes minutes.</summary>
    /// <exception cref="TinyMoEException">It cannot be made or entered: the last line that the script says.</exception>
    public static RivalPython OfDebian13(string root, Report report)
    {
        if (!Directory.Exists(root))
            report.Note($"making a Debian 13 in {root}: this takes minutes, once");
        RivalPython python = new("bash", [Path.Combine(Rivals, "debian13.sh"), Path.GetFullPath(root), "python3"], "/mnt");
        (int code, string _, string error) = ChildProcess.Start(python.Program, [.. python.Before, "-c", "import torch"])
            ?? throw new TinyMoEException("--root needs bash, which is not on this machine");
        return code == 0 ? python : throw new TinyMoEException($"--root {root}: {ChildProcess.LastLine(error) ?? $"exit code {code}"}");
    }

    /// <summary>Runs one of the scripts at the width of vectors of this process and reads the figures that it prints.</summary>
    public TrainingFigures Run(string script, IEnumerable<string> arguments, params (string Name, string Value)[] variables)
    {
        Dictionary<string, string?> environment = new(settings ??= Settings());
        foreach ((string name, string value) in variables)
            environment[name] = value;
        string[] words = [.. Before, $"{Scripts}/{script}", .. arguments];
        return Report.Read<TrainingFigures>(ChildProcess.Run(Program, words, environment));
    }

    private Dictionary<string, string?> Settings()
    {
        Dictionary<string, string?> unset = VectorWidth.PeerSettings(null).ToDictionary(pair => pair.Key, _ => (string?)null);
        (int Code, string Output, string)? asked = ChildProcess.Start(Program, [.. Before, "-c", AsksKernel], unset);
        return VectorWidth.PeerSettings(asked is { Code: 0, Output: var kernel } ? kernel.Trim() : null);
    }
}
