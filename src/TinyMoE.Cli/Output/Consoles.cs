using System.Text;
using Spectre.Console;

namespace TinyMoE.Cli.Output;

/// <summary>Makes the console that tables and the live line are drawn on.</summary>
internal static class Consoles
{
    /// <summary>A terminal where the output is one; otherwise plain text, never wrapped. What is drawn is cleaned.</summary>
    public static IAnsiConsole For(TextWriter output)
    {
        TextWriter writer = output is CleanWriter clean ? clean.Guard : output;
        IAnsiConsole console = writer is GuardedWriter { IsTerminal: true } ? Terminal(writer) : Plain(writer);
        console.Pipeline.Attach(new Printable.Hook());
        return console;
    }

    /// <summary>Takes away the line that is drawn in place.</summary>
    public static void EraseLine(this IAnsiConsole console) => console.Write(new ControlCode("\r\u001b[2K"));

    private static IAnsiConsole Terminal(TextWriter writer) =>
        AnsiConsole.Create(new AnsiConsoleSettings { Out = new TerminalOutput(writer) });

    private static IAnsiConsole Plain(TextWriter writer)
    {
        IAnsiConsole plain = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
            Out = new AnsiConsoleOutput(writer),
        });
        plain.Profile.Width = 1000;
        plain.Profile.Capabilities.Unicode = true;
        return plain;
    }

    /// <summary>The terminal of the process, written by another writer than <see cref="Console.Out"/>.</summary>
    private sealed class TerminalOutput(TextWriter writer) : IAnsiConsoleOutput
    {
        private readonly AnsiConsoleOutput terminal = new(Console.Out);

        public TextWriter Writer => writer;

        public bool IsTerminal => terminal.IsTerminal;

        public int Width => terminal.Width;

        public int Height => terminal.Height;

        public void SetEncoding(Encoding encoding) => terminal.SetEncoding(encoding);
    }
}
