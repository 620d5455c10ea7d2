using System.CommandLine;
using System.CommandLine.Help;
using TinyMoE.Cli.Commands;
using TinyMoE.Cli.Output;

namespace TinyMoE.Cli;

/// <summary>The <c>tinymoe</c> command. Exit codes: 0 done, 1 it could not be done, 2 wrong usage, 128 + N stopped by signal N.</summary>
internal static class Cli
{
    public const int Done = 0, Failed = 1, WrongUsage = 2, Interrupted = 130;

    private static readonly ParserConfiguration Parser = new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };

    /// <summary>
    /// Runs one command line and returns the exit code; null stands for an output that is closed, and for the process's own input.
    /// </summary>
    public static int Run(string[] args, TextWriter? output, TextWriter? error, TextReader? input = null)
    {
        GuardedWriter guard = new(output);
        using CleanWriter cleanOutput = new(guard), cleanError = new(new GuardedWriter(error) { GoesOn = true });
        try
        {
            return Run(args, cleanOutput, cleanError, input);
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (OutputException e) when (e.ReaderGone)
        {
            return Done; // as head closes the pipe: it has what it wants
        }
        catch (Exception e)
        {
            cleanError.WriteLine($"tinymoe: {Failures.Describe(e)}");
            return Failed;
        }
    }

    private static int Run(string[] args, CleanWriter output, CleanWriter error, TextReader? input)
    {
        ParseResult parsed = Root(input).Parse(args, Parser);
        if (parsed.Action is not HelpWithExamples && Usage.Error(parsed, args) is { } wrong)
        {
            error.WriteLine($"tinymoe: {wrong}");
            error.WriteLine($"try '{Usage.NameOf(parsed.CommandResult.Command)} --help'");
            return WrongUsage;
        }

        output.Guard.GoesOn = parsed.Action is not HelpWithExamples
            && parsed.CommandResult.Command is CommandWithExamples { WorksWithoutOutput: true };
        output.Guard.Check();
        return parsed.Invoke(new InvocationConfiguration
        {
            Output = output,
            Error = error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        });
    }

    private static RootCommand Root(TextReader? input)
    {
        RootCommand root = new("Trains small Mixture-of-Experts language models from nothing and shows what their experts do.")
        {
            TrainCommand.Create(),
            EvalCommand.Create(),
            AblateCommand.Create(),
            GenerateCommand.Create(),
            ChatCommand.Create(input),
            ServeCommand.Create(input),
            ViewCommand.Create(input),
            ReportCommand.Create(),
            ScoreCommand.Create(),
            TraceCommand.Create(),
            ImportCommand.Create(),
            UpcycleCommand.Create(),
            ExportCommand.Create(),
            InfoCommand.Create(),
            TokenizerCommand.Create(),
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
}
