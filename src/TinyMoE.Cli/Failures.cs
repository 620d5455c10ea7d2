using System.Reflection;
using TinyMoE.App;
using TinyMoE.Cli.Output;

namespace TinyMoE.Cli;

/// <summary>Says in one line what went wrong, and what to do.</summary>
internal static class Failures
{
    /// <summary>A longer message loses its middle: what it is about stands first, what to do last.</summary>
    private const int MostCharacters = 2000;

    /// <summary>Numbers of the system: EMFILE and ENFILE, as an <see cref="IOException"/> has them.</summary>
    private const int TooManyOpenFiles = 24, TooManyOpenFilesInSystem = 23;

    private const string OpenFiles = "too many open files: the system lets this process open no more; raise the limit, as with ulimit -n 1024";

    /// <summary>An error in one line; what nobody expected names its type, and TINYMOE_TRACE=1 shows where it was thrown.</summary>
    public static string Describe(Exception thrown)
    {
        Exception e = Unwrap(thrown);
        string text = Clip(Words.OneLine(e is RequestException request ? request.In(NameOf) : e.Message).Trim());
        if (e is TinyMoEException or OutputException)
            return text;
        if (e is OutOfMemoryException) // InsufficientMemoryException is one too
        {
            return "out of memory: text, model and batch do not fit together; take less text, a smaller train.batch, model.context or "
                + "model.width, or give the process more memory";
        }

        if (e is IOException { HResult: TooManyOpenFiles or TooManyOpenFilesInSystem } || (IsLoading(e) && !CanOpen()))
            return OpenFiles;
        if (e is FileLoadException or FileNotFoundException { FileName: not null } && IsLoading(e))
            return $"a part of the program cannot be loaded: {text}";
        if (e is IOException or UnauthorizedAccessException)
            return text;
        bool showsTrace = Environment.GetEnvironmentVariable("TINYMOE_TRACE") == "1";
        string trace = showsTrace ? Environment.NewLine + thrown : " (TINYMOE_TRACE=1 shows where)";
        return $"{e.GetType().Name}: {text}; this is a bug{trace}";
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

    private static bool CanOpen()
    {
        try
        {
            File.OpenHandle(OperatingSystem.IsWindows() ? "NUL" : "/dev/null").Dispose();
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string Clip(string text) =>
        text.Length <= MostCharacters ? text : $"{text[..(MostCharacters / 2)]} ... {text[^(MostCharacters / 4)..]}";

    /// <summary>The option that sets what a use case calls a setting.</summary>
    private static string NameOf(Setting setting) => setting switch
    {
        Setting.Device => "--device",
        Setting.Folder => "--out",
        Setting.Resume => "--resume",
        Setting.Label => "--label",
        _ => throw new ArgumentOutOfRangeException(nameof(setting), setting, "No option sets it."),
    };
}
