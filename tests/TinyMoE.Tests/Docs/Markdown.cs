using System.Text.RegularExpressions;

namespace TinyMoE.Tests.Docs;

/// <summary>What stands between two fences of a Markdown file.</summary>
/// <param name="File">The file, by its path from the root of the repository.</param>
/// <param name="Language">What follows the opening fence; empty where nothing does.</param>
/// <param name="Lines">The lines between the fences.</param>
internal sealed record CodeBlock(string File, string Language, IReadOnlyList<string> Lines);

/// <summary>The Markdown files of the repository.</summary>
internal static partial class Markdown
{
    private static readonly string[] NotOurs = ["bin", "obj", "build", "runs", "shared"];

    /// <summary>The root of the repository.</summary>
    public static string Root { get; } = FloorsTests.RepositoryRoot();

    /// <summary>All Markdown files, by their paths from the root, with slashes.</summary>
    public static IReadOnlyList<string> Files { get; } =
        [.. Enumerate(Root).Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    /// <summary>The text of a file, lines ending in \n.</summary>
    public static string Text(string file) => File.ReadAllText(Path.Combine(Root, file)).ReplaceLineEndings("\n");

    /// <summary>What stands between fences in a file, block by block.</summary>
    public static IReadOnlyList<CodeBlock> Blocks(string file)
    {
        List<CodeBlock> blocks = [];
        List<string>? lines = null;
        string language = "";
        foreach (string line in Text(file).Split('\n'))
        {
            if (!IsFence(line))
            {
                lines?.Add(line);
            }
            else if (lines is null)
            {
                (lines, language) = ([], line.Trim()[3..]);
            }
            else
            {
                blocks.Add(new CodeBlock(file, language, lines));
                lines = null;
            }
        }

        Assert.True(lines is null, $"{file}: a fence is not closed");
        return blocks;
    }

    /// <summary>The targets of the links in a file, outside of code.</summary>
    public static IEnumerable<string> Links(string file) => Link().Matches(Prose(file)).Select(match => match.Groups[1].Value);

    /// <summary>The anchors that the headings of a file have on GitHub.</summary>
    public static IReadOnlyCollection<string> Anchors(string file)
    {
        Dictionary<string, int> seen = [];
        List<string> anchors = [];
        foreach (string line in Prose(file, keepCode: true).Split('\n').Where(line => line.StartsWith('#')))
        {
            string text = LinkText().Replace(line.TrimStart('#').Trim(), "$1").Replace("`", "", StringComparison.Ordinal);
            string anchor = NotInAnchors().Replace(text.ToLowerInvariant(), "").Replace(' ', '-');
            int before = seen.GetValueOrDefault(anchor);
            seen[anchor] = before + 1;
            anchors.Add(before == 0 ? anchor : $"{anchor}-{before}");
        }

        return anchors;
    }

    /// <summary>The file without what stands between fences and, unless it is kept, between backticks.</summary>
    private static string Prose(string file, bool keepCode = false)
    {
        bool inside = false;
        List<string> kept = [];
        foreach (string line in Text(file).Split('\n'))
        {
            if (IsFence(line))
                inside = !inside;
            else if (!inside)
                kept.Add(line);
        }

        string prose = string.Join('\n', kept);
        return keepCode ? prose : Code().Replace(prose, "`code`");
    }

    private static bool IsFence(string line) => line.TrimStart().StartsWith("```", StringComparison.Ordinal);

    private static IEnumerable<string> Enumerate(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder, "*.md"))
            yield return file;
        foreach (string below in Directory.EnumerateDirectories(folder))
        {
            string name = Path.GetFileName(below);
            if (name.StartsWith('.') || NotOurs.Contains(name))
                continue;
            foreach (string file in Enumerate(below))
                yield return file;
        }
    }

    [GeneratedRegex(@"\]\(([^()\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\[([^\]]*)\]\([^)]*\)")]
    private static partial Regex LinkText();

    [GeneratedRegex(@"[^\p{L}\p{N}\-_ ]")]
    private static partial Regex NotInAnchors();

    [GeneratedRegex("`[^`\n]*`")]
    private static partial Regex Code();
}
