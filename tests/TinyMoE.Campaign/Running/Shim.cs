using System.ComponentModel;
using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;

namespace TinyMoE.Campaign;

/// <summary>shim.c, compiled where it is needed.</summary>
internal static class Shim
{
    /// <summary>The variable of the environment that it reads its first order from.</summary>
    public const string OrderVariable = "TINYMOE_SHIM";

    /// <summary>Why there is none here; null where there is one.</summary>
    public static string? WhyNot { get; } = Find();

    /// <summary>Compiles it into a folder and gives the library's path.</summary>
    /// <exception cref="TinyMoEException">The compiler refuses it.</exception>
    public static string Build(string folder)
    {
        string source = Path.Combine(folder, "shim.c"), library = Path.Combine(folder, "shim.so");
        using (Stream text = Assembly.GetExecutingAssembly().GetManifestResourceStream("shim.c")!)
        using (FileStream file = File.Create(source))
            text.CopyTo(file);
        (int code, string said) = Run("cc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl");
        return code == 0 ? library : throw new TinyMoEException($"cc cannot compile shim.c: {said.ReplaceLineEndings(" ")}");
    }

    private static string? Find()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64))
            return "it needs Linux on x64 or arm64";
        try
        {
            return Run("cc", "--version").Code == 0 ? null : "cc, the C compiler, does not work here";
        }
        catch (Win32Exception)
        {
            return "there is no cc, the C compiler, here";
        }
    }

    private static (int Code, string Said) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result + error);
    }
}
