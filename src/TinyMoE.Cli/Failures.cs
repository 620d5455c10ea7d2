using System.Reflection;
using Microsoft.Win32.SafeHandles;
using TinyMoE.App;
using TinyMoE.Cli.Output;

namespace TinyMoE.Cli;

/// <summary>Says in one line what went wrong, and what to do.</summary>
internal static class Failures
{
    /// <summary>Numbers of the system: EMFILE and ENFILE, as an <see cref="IOException"/> has them.</summary>
    private const int TooManyOpenFiles = 24, TooManyOpenFilesInSystem = 23;

    /// <summary>How .NET begins to tell of EFBIG where it sets the length of a file.</summary>
    private const string FileTooLong = "Specified file length was too large";

    private const string OpenFiles =
        "too many open files: the system lets this process open no more; raise the limit, as with ulimit -n 1024";

    /// <summary>How many files the runtime may want to open at once to load one more part of itself.</summary>
    private const int FilesToLoad = 16;

    /// <summary>An error in one line; what nobody expected names its type, and TINYMOE_TRACE=1 shows where it was thrown.</summary>
    public static string Describe(Exception thrown)
    {
        if (OfTheSystem(thrown) is { } words)
            return words;
        Exception e = Unwrap(thrown);
        string text = TinyMoEException.Line(e is RequestException request ? request.In(NameOf) : e.Message).Trim();
        if (e is TinyMoEException or OutputException or IOException or UnauthorizedAccessException)
            return text;
        bool showsTrace = Environment.GetEnvironmentVariable("TINYMOE_TRACE") == "1";
        string trace = showsTrace ? Environment.NewLine + thrown : " (TINYMOE_TRACE=1 shows where)";
        return $"{e.GetType().Name}: {text}; this is a bug{trace}";
    }

    /// <summary>
    /// What a limit of the system ended, in one line; null for any other error. Uses types of System.Runtime only: where too many files
    /// are open no other assembly can be loaded any more.
    /// </summary>
    public static string? OfTheSystem(Exception thrown)
    {
        Exception e = Unwrap(thrown);
        return e switch
        {
            OutOfMemoryException => "out of memory: text and model do not fit into what this process may take; take less text, or a "
                + "smaller model, batch or context, or give the process more memory",
            IOException { HResult: TooManyOpenFiles or TooManyOpenFilesInSystem } => OpenFiles,
            ArgumentOutOfRangeException when e.Message.StartsWith(FileTooLong, StringComparison.Ordinal) =>
                "a file grows beyond what the system lets this process write; raise the limit, as with ulimit -f unlimited",
            _ when !IsLoading(e) => null,
            _ => CanOpen(FilesToLoad) ? $"a part of the program cannot be loaded: {e.Message.ReplaceLineEndings(" ")}" : OpenFiles,
        };
    }

    /// <summary>The error that the runtime wrapped into others on its way here.</summary>
    private static Exception Unwrap(Exception e)
    {
        while (e is TypeInitializationException or TargetInvocationException or AggregateException or FileLoadException
            && e.InnerException is { } inner)
        {
            e = inner;
        }

        return e;
    }

    /// <summary>Whether the runtime failed to load code, which it says in many ways.</summary>
    private static bool IsLoading(Exception e) =>
        e is FileLoadException or BadImageFormatException or TypeLoadException or DllNotFoundException
        || e is FileNotFoundException { FileName: { } name } && name.Contains("Version=", StringComparison.Ordinal);

    private static bool CanOpen(int files)
    {
        SafeFileHandle?[] open = new SafeFileHandle?[files];
        try
        {
            for (int i = 0; i < files; i++)
                open[i] = File.OpenHandle(OperatingSystem.IsWindows() ? "NUL" : "/dev/null");
            return true;
        }
        catch (IOException)
        {
            return false;
        }
        finally
        {
            foreach (SafeFileHandle? handle in open)
                handle?.Dispose();
        }
    }

    /// <summary>The option that sets what a use case calls a setting.</summary>
    private static string NameOf(Setting setting) => setting switch
    {
        Setting.Device => "--device",
        Setting.Folder => "--out",
        Setting.Resume => "--resume",
        Setting.Overwrite => "--overwrite",
        Setting.Init => "--init",
        Setting.KeepSchedule => "--keep-schedule",
        Setting.Label => "--label",
        Setting.Template => "--template",
        Setting.Sources => "--data",
        _ => throw new ArgumentOutOfRangeException(nameof(setting), setting, "No option sets it."),
    };
}
