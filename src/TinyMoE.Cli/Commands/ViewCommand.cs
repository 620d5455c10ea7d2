using System.CommandLine;
using System.Diagnostics;
using TinyMoE.Files;
using TinyMoE.Web.View;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe view</c>: pages that show runs and models in a browser.</summary>
internal sealed class ViewCommand(TextReader? input)
{
    private const string RunsFolder = "runs";

    private const string Examples = """
        tinymoe view                                         the runs in ./runs
        tinymoe view --run runs/mixtral-tiny runs/other      two runs over one another, while they train
        tinymoe view --model OLMoE-1B-7B --port 9000
        """;

    private readonly Option<string[]> runs = Options.Texts(
        "--run", "DIR", "Folders of runs, trained or being trained; those in ./runs if not said.");
    private readonly Option<string?> model = Options.Path("--model", "DIR", "The folder of a model in Hugging Face's form.");
    private readonly ListenOptions listening = new(
        8090, "What browsers must know, 8 characters at least; the printed address has it", allowsOrigins: false);
    private readonly Option<bool> noBrowser = Options.Flag("--no-browser", "Open no browser, only print the address.");
    private readonly DeviceOptions device = new();

    /// <summary>The command; where there is an input it stops at its end, else by Ctrl-C.</summary>
    public static Command Create(TextReader? input)
    {
        ViewCommand view = new(input);
        CommandWithExamples command = new("view", "Show runs and models in a browser, runs while they train; Ctrl-C stops.", Examples);
        view.runs.Validators.Add(Options.RequirePaths);
        command.Add(view.runs);
        command.Add(view.model);
        view.listening.AddTo(command);
        command.Add(view.noBrowser);
        view.device.AddTo(command);
        command.SetAction(view.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        (TextWriter output, TextWriter error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        ViewOptions shown = new()
        {
            Runs = Runs(parsed), Model = parsed.GetValue(model), Device = device.Read(parsed),
        };
        if (shown.Model is { } named && !Directory.Exists(named))
            throw new TinyMoEException($"There is no folder {named}; give the folder of a model.");
        using Interrupts interrupts = new();
        using ViewServer server = ViewServer.Start(shown, listening.Read(parsed, error));
        output.WriteLine($"{Words(shown)} at {server.Page.OriginalString}; Ctrl-C stops");
        output.Flush();
        if (!parsed.GetValue(noBrowser) && input is null)
            Open(server.Page);
        if (input is not null)
            input.ReadToEnd();
        else
            interrupts.Token.WaitHandle.WaitOne();
        return interrupts.Token.IsCancellationRequested ? interrupts.ExitCode : Cli.Done;
    }

    /// <summary>The runs that were named; a folder may still be empty, as that of a training that is about to begin.</summary>
    private string[] Runs(ParseResult parsed)
    {
        if (parsed.GetValue(runs) is { Length: > 0 } named)
        {
            return Array.Find(named, folder => !Directory.Exists(folder)) is { } missing
                ? throw new TinyMoEException($"There is no folder {missing}; give the folder of a run (--out of a training).") : named;
        }

        if (parsed.GetValue(model) is not null)
            return [];
        string[] found = !Directory.Exists(RunsFolder) ? []
            : [.. Directory.EnumerateDirectories(RunsFolder).Where(RunFiles.IsRun).Order(StringComparer.Ordinal)];
        return found.Length > 0 ? found : throw new TinyMoEException(
            $"There are no runs in {Path.GetFullPath(RunsFolder)}; give --run DIR or --model DIR, or train one with 'tinymoe train'.");
    }

    private static string Words(ViewOptions shown)
    {
        string[] parts =
        [
            .. shown.Runs.Count == 0 ? Array.Empty<string>() : [shown.Runs.Count == 1 ? shown.Runs[0] : $"{shown.Runs.Count} runs"],
            .. shown.Model is { } named ? [named] : Array.Empty<string>(),
        ];
        return string.Join(" and ", parts);
    }

    /// <summary>Opens the page where there is a desktop; without one nothing happens, the address was printed.</summary>
    private static void Open(Uri page)
    {
        bool hasDesktop = OperatingSystem.IsWindows() || OperatingSystem.IsMacOS()
            || Array.Exists(["DISPLAY", "WAYLAND_DISPLAY"], name => Environment.GetEnvironmentVariable(name) is { Length: > 0 });
        if (!hasDesktop)
            return;
        try
        {
            ProcessStartInfo start = OperatingSystem.IsWindows() ? new(page.AbsoluteUri) { UseShellExecute = true }
                : new(OperatingSystem.IsMacOS() ? "open" : "xdg-open", [page.AbsoluteUri])
                {
                    RedirectStandardOutput = true, RedirectStandardError = true,
                };
            using Process? browser = Process.Start(start);
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or FileNotFoundException or PlatformNotSupportedException)
        {
            // There is none to open; the address was printed.
        }
    }
}
