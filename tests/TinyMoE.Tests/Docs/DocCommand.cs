using System.Text.RegularExpressions;

namespace TinyMoE.Tests.Docs;

/// <summary>A command line that the docs tell people to type.</summary>
/// <param name="Line">As it stands there, without prompt and comment.</param>
/// <param name="Words">Its words as a shell splits them, without what calls the program.</param>
/// <param name="Project">The project that <c>dotnet run</c> names; the command line's for <c>tinymoe</c>.</param>
internal sealed partial record DocCommand(string Line, IReadOnlyList<string> Words, string Project)
{
    private const string Cli = "src/TinyMoE.Cli";

    /// <summary>Every command of every Markdown file that runs a program of this repository, each once.</summary>
    public static IReadOnlyList<DocCommand> All { get; } =
    [
        .. Markdown.Files.SelectMany(Markdown.Blocks).SelectMany(block => block.Lines)
            .Select(Parse).OfType<DocCommand>().DistinctBy(command => command.Line),
    ];

    /// <summary>Whether it is a command of <c>tinymoe</c>.</summary>
    public bool IsTinymoe => Project == Cli;

    /// <summary>Whether it may touch a CUDA device.</summary>
    public bool UsesCuda => Words.Contains("doctor") || ValueOf("--device") is not (null or "cpu");

    /// <summary>The word after an option; null where the option is not given.</summary>
    public string? ValueOf(string option)
    {
        int place = Words.ToList().IndexOf(option);
        return place < 0 || place + 1 == Words.Count ? null : Words[place + 1];
    }

    public override string ToString() => Line;

    /// <summary>The command of a line; null where it is output, another program's, or a pattern with [options].</summary>
    private static DocCommand? Parse(string line)
    {
        Match match = Command().Match(line);
        if (!match.Success)
            return null;
        string rest = Comment().Replace(match.Groups["rest"].Value, "").Trim();
        if (rest.Contains('[', StringComparison.Ordinal))
            return null;
        string[] words = [.. Word().Matches(rest).Select(word => word.Value.Replace("\"", "", StringComparison.Ordinal))];
        string program = match.Groups["program"].Value;
        string project = match.Groups["project"].Success ? match.Groups["project"].Value : Cli;
        return new DocCommand($"{program} {rest}".Trim(), words, project);
    }

    /// <summary>A program of ours at the begin of a line, perhaps behind a prompt and behind variables.</summary>
    [GeneratedRegex(
        @"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?<program>tinymoe|dotnet run -c Release --project (?<project>\S+)(?: --)?)(?:\s+(?<rest>\S.*))?$")]
    private static partial Regex Command();

    /// <summary>A comment behind #, or the words that help shows beside an example.</summary>
    [GeneratedRegex(@"\s+#.*$|\s{3,}\S.*$|(?<=\S)  \S.*$")]
    private static partial Regex Comment();

    [GeneratedRegex("(?:[^\\s\"]|\"[^\"]*\")+")]
    private static partial Regex Word();
}
