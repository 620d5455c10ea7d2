using System.Text.RegularExpressions;

namespace TinyMoE.Tests;

/// <summary>Words that sources and documents do without: rates are told by "per", and rows without an expert are unassigned.</summary>
public sealed partial class WordingTests
{
    /// <summary>A number with or without what it counts, as in "2" or "7 µs"; "1 for a token" is no rate.</summary>
    private const string Number =
        @"(?:\d+(?:\.\d+)?|one)(?:\ (?!(?:for|of|in|to|on|as|at|by|with|from|than|is|if|when|and|or)\b)[\p{L}µ]+)?";

    /// <summary>A word for many of something, as in "rows".</summary>
    private const string Many =
        "(?:rows|bits|tokens|bytes|steps|experts|values|operations|choices|heads"
        + "|ids|windows|calls|layers|floats|products|lines|objects|vectors|threads)";

    /// <summary>What something is counted by.</summary>
    private const string Unit =
        "(?:expert|byte|token|second|step|row|head|thread|layer|line"
        + "|sequence|position|character|lane|block|file|family|window|batch|element)";

    /// <summary>Blanks, and the end of a line with what begins the next in a comment.</summary>
    private const string Blank = @"(?:[ \t]|\r?\n[ \t]*(?:///?[ \t])?)+";

    /// <summary>A rate ends a clause; in "the experts a token takes" a verb follows.</summary>
    private const string ClauseEnd = @"(?=$|[.,;:)<""|]|\s*\r?\n\s*\r?\n|\s(?:in|of|with|and|or|at|for|by)\b)";

    [Fact]
    public void SourcesAndDocuments_SayPer_AndUnassigned()
    {
        string root = FloorsTests.RepositoryRoot();
        string[] files = [.. LineLengthTests.TextFiles(root).Where(IsChecked)];
        foreach (string ending in (string[])[".cs", ".md"])
            Assert.Contains(files, file => file.EndsWith(ending, StringComparison.Ordinal));
        Assert.Empty(files.SelectMany(file => Found(file, File.ReadAllText(Path.Combine(root, file)))));
    }

    [Theory]
    [InlineData("/// <summary>Rows an expert.</summary>")]
    [InlineData("8 SwiGLU experts, 2 a token; RoPE")]
    [InlineData("the loss in bits a byte, comparable")]
    [InlineData("24 bytes a step")]
    [InlineData("7 to 14 µs an expert, and small products")]
    [InlineData("metrics are JSON, one object a line")]
    [InlineData("one expert a token")]
    [InlineData("/// memory for rows\n    /// an expert, at most")]
    [InlineData("(T), choices a token in order")]
    [InlineData("1.5e9 operations a second")]
    [InlineData("behind them nobody's rows")]
    public void TheIdiom_IsFound(string text) => Assert.Single(Found("planted.cs", text));

    [Theory]
    [InlineData("rows per expert, bits per byte, 2 per token")]
    [InlineData("Groups of the experts a token may have")]
    [InlineData("which experts a token goes to, and what experts a token must do without")]
    [InlineData("gives a token 1 of 8 experts, whatever it says")]
    [InlineData("Top-k gives a token K rows, and an expert many tokens")]
    [InlineData("a mask is 1 for a token that counts, 0 for a row; which choices an expert that is full drops")]
    [InlineData("a result that nobody wants")]
    public void WhatIsNoRate_IsNotFound(string text) => Assert.Empty(Found("planted.cs", text));

    /// <summary>All but this file, which has the idioms as examples, and the history.</summary>
    private static bool IsChecked(string file) =>
        (file.EndsWith(".cs", StringComparison.Ordinal) || file.EndsWith(".md", StringComparison.Ordinal))
        && Path.GetFileName(file) is not (nameof(WordingTests) + ".cs" or "CHANGELOG.md");

    private static IEnumerable<string> Found(string file, string text) =>
        from match in Rate().Matches(text).Concat(Nobodys().Matches(text))
        select $"{file}:{1 + text.AsSpan(0, match.Index).Count('\n')} says '{match.Value}'";

    [GeneratedRegex(
        @"(?<![\w.])(?:" + Number + "|" + Many + ")" + Blank + "an?" + Blank + Unit + @"\b" + ClauseEnd, RegexOptions.IgnoreCase)]
    private static partial Regex Rate();

    [GeneratedRegex("nobody's", RegexOptions.IgnoreCase)]
    private static partial Regex Nobodys();
}
