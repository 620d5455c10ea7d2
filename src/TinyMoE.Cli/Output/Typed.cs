using System.Globalization;
using System.Text;

namespace TinyMoE.Cli.Output;

/// <summary>Writes commands that a person can paste into a shell, whatever the names in them hold.</summary>
internal static class Typed
{
    private const string Project = "src/TinyMoE.Cli";

    /// <summary>What to type before a command: the program as it was started.</summary>
    public static string Program { get; } = FindProgram();

    /// <summary>A path as it is typed: none is taken for an option.</summary>
    public static string Path(string path) => Word(path.StartsWith('-') ? $"./{path}" : path);

    /// <summary>An option and its value as they are typed, after a blank.</summary>
    public static string Option(string name, string value) => value.StartsWith('-') ? $" {name}={Word(value)}" : $" {name} {Word(value)}";

    /// <summary>A word as it is typed.</summary>
    public static string Word(string word)
    {
        if (word.Length > 0 && word.All(IsPlain))
            return word;
        if (OperatingSystem.IsWindows())
            return $"\"{word.Replace("\"", "\\\"", StringComparison.Ordinal)}{(word.EndsWith('\\') ? "\\" : "")}\"";
        return word.Any(Printable.Steers) ? Escaped(word) : $"'{word.Replace("'", @"'\''", StringComparison.Ordinal)}'";
    }

    /// <summary>Characters that no shell takes for more than themselves, at any place of a word.</summary>
    private static bool IsPlain(char c) => char.IsLetterOrDigit(c) || c is '_' or '-' or '.' or '/' or ':' or ',' or '+' or '@'
        || (c == '\\' && OperatingSystem.IsWindows());

    /// <summary>In the quotes $'...', which have escapes for what must not be printed.</summary>
    private static string Escaped(string word)
    {
        StringBuilder text = new("$'");
        foreach (Rune rune in word.EnumerateRunes())
        {
            if (rune.Value is '\'' or '\\')
                text.Append('\\').Append(rune);
            else if (!rune.IsBmp || !Printable.Steers((char)rune.Value))
                text.Append(rune);
            else
                AppendOctal(text, rune);
        }

        return text.Append('\'').ToString();
    }

    private static void AppendOctal(StringBuilder text, Rune rune)
    {
        Span<byte> bytes = stackalloc byte[4];
        foreach (byte part in bytes[..rune.EncodeToUtf8(bytes)])
            text.Append(CultureInfo.InvariantCulture, $"\\{part >> 6}{(part >> 3) & 7}{part & 7}");
    }

    private static string FindProgram()
    {
        string here = AppContext.BaseDirectory, project = Project.Replace('/', System.IO.Path.DirectorySeparatorChar);
        if (!here.Contains(System.IO.Path.Combine(project, "bin"), StringComparison.Ordinal))
            return "tinymoe";
        if (File.Exists(System.IO.Path.Combine(Project, "TinyMoE.Cli.csproj")))
            return $"dotnet run -c Release --project {Project} --";
        string program = System.IO.Path.Combine(here, "tinymoe");
        return Environment.ProcessPath is { } own && System.IO.Path.GetFileNameWithoutExtension(own) == "tinymoe"
            ? Word(own)
            : $"dotnet {Word(program + ".dll")}";
    }
}
