using System.Globalization;
using System.Text;
using Spectre.Console.Rendering;

namespace TinyMoE.Cli.Output;

/// <summary>Text from anywhere, such that a terminal shows it and does nothing else.</summary>
internal static class Printable
{
    private const char Replacement = '\ufffd';

    /// <summary>
    /// The text with U+FFFD for every character that <see cref="Steers"/>, except for tabs and ends of lines.
    /// </summary>
    public static string Clean(string text)
    {
        if (!text.Any(Steers))
            return text;
        StringBuilder clean = new(text);
        for (int i = 0; i < text.Length; i++)
        {
            bool ends = text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n';
            if (Steers(text[i]) && text[i] is not ('\t' or '\n') && !ends)
                clean[i] = Replacement;
        }

        return clean.ToString();
    }

    /// <summary>A JSON text with escapes for what <see cref="Steers"/>: such characters are in its strings only.</summary>
    public static string Json(string json) => !json.Any(Steers) ? json : string.Concat(json.Select(c =>
        Steers(c) ? string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}") : c.ToString()));

    /// <summary>A text on one line: what ends lines is written as it is escaped.</summary>
    public static string OnOneLine(string text)
    {
        StringBuilder visible = new();
        foreach (char c in text)
        {
            visible.Append(c switch
            {
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                _ => c.ToString(),
            });
        }

        return visible.ToString();
    }

    /// <summary>
    /// Whether a terminal may take a character for a command (the control characters, U+0000 to U+001F and U+007F to U+009F), or shows the
    /// text around it in another order (U+202A to U+202E, U+2066 to U+2069).
    /// </summary>
    public static bool Steers(char c) => char.IsControl(c) || c is (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069');

    /// <summary>Cleans what Spectre draws, but not the commands that it gives to the terminal.</summary>
    internal sealed class Hook : IRenderHook
    {
        public IEnumerable<IRenderable> Process(RenderOptions options, IEnumerable<IRenderable> renderables) =>
            renderables.Select(renderable => new Cleaned(renderable));
    }

    private sealed class Cleaned(IRenderable inner) : IRenderable
    {
        public Measurement Measure(RenderOptions options, int maxWidth) => inner.Measure(options, maxWidth);

        public IEnumerable<Segment> Render(RenderOptions options, int maxWidth) => inner.Render(options, maxWidth).Select(Clean);

        private static Segment Clean(Segment segment) =>
            segment.IsControlCode || segment.IsLineBreak || !segment.Text.Any(Steers)
                ? segment
                : new Segment(Printable.Clean(segment.Text), segment.Style, segment.Link);
    }
}
