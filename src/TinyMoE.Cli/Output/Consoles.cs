using Spectre.Console;

namespace TinyMoE.Cli.Output;

/// <summary>Makes the console that tables and the live line are drawn on.</summary>
internal static class Consoles
{
    /// <summary>A terminal where the output is one; otherwise plain text, never wrapped.</summary>
    public static IAnsiConsole For(TextWriter output)
    {
        if (ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected)
            return AnsiConsole.Console;
        IAnsiConsole plain = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
            Out = new AnsiConsoleOutput(output),
        });
        plain.Profile.Width = 1000;
        plain.Profile.Capabilities.Unicode = true;
        return plain;
    }
}
