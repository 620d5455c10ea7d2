using System.CommandLine;
using System.CommandLine.Help;
using TinyMoE.App;
using TinyMoE.Cli.Commands;

namespace TinyMoE.Cli;

/// <summary>The <c>tinymoe</c> command. Exit codes: 0 done, 1 it could not be done, 2 wrong usage, 130 stopped by Ctrl-C.</summary>
internal static class Cli
{
    public const int Done = 0, Failed = 1, WrongUsage = 2, Interrupted = 130;

    private static readonly ParserConfiguration Parser = new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };

    /// <summary>Runs one command line and returns the exit code.</summary>
    public static int Run(string[] args, TextWriter output, TextWriter error)
    {
        RootCommand root = Root();
        try
        {
            ParseResult parsed = root.Parse(args, Parser);
            if (parsed.Action is not HelpWithExamples && Usage.Error(parsed, args) is { } wrong)
            {
                error.WriteLine($"tinymoe: {wrong}");
                error.WriteLine($"try '{Usage.NameOf(parsed.CommandResult.Command)} --help'");
                return WrongUsage;
            }
            return parsed.Invoke(new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (Exception e)
        {
            error.WriteLine($"tinymoe: {Describe(e)}");
            return Failed;
        }
    }

    private static RootCommand Root()
    {
        RootCommand root = new("Trains small Mixture-of-Experts language models from nothing and shows what their experts do.")
        {
            TrainCommand.Create(),
            EvalCommand.Create(),
            GenerateCommand.Create(),
            InfoCommand.Create(),
            VerifyCommand.Create(),
            DoctorCommand.Create(),
        };
        root.Directives.Clear();
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Description = "Show this help.";
        HelpWithExamples show = new();
        help.Action = show;
        root.Options.OfType<VersionOption>().Single().Description = "Show the version.";
        root.SetAction(show.Invoke);
        return root;
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
        Setting.Sources => "--data",
        _ => throw new ArgumentOutOfRangeException(nameof(setting), setting, "No option sets it."),
    };

    /// <summary>An error in one line; what nobody expected names its type, and TINYMOE_TRACE=1 shows where it was thrown.</summary>
    private static string Describe(Exception e)
    {
        string text = e is RequestException request ? request.In(NameOf) : e.Message;
        string message = text.ReplaceLineEndings(" ").Trim();
        if (e is TinyMoEException or IOException or UnauthorizedAccessException)
            return message;
        if (e is OutOfMemoryException)
            return "out of memory: the system has no more room; use a smaller model, batch, context or text";
        bool showsTrace = Environment.GetEnvironmentVariable("TINYMOE_TRACE") == "1";
        string trace = showsTrace ? Environment.NewLine + e : " (TINYMOE_TRACE=1 shows where)";
        return $"{e.GetType().Name}: {message}; this is a bug{trace}";
    }
}
