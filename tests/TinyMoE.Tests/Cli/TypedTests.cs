using System.Diagnostics;
using TinyMoE.Cli.Output;

namespace TinyMoE.Tests.Cli;

public sealed class TypedTests
{
    [Theory]
    [InlineData("runs/a-1_b.c", "runs/a-1_b.c")]
    [InlineData("a b", "'a b'")]
    [InlineData("it's", @"'it'\''s'")]
    [InlineData("x;y", "'x;y'")]
    [InlineData("x$(touch pwned)`", "'x$(touch pwned)`'")]
    [InlineData("~", "'~'")]
    [InlineData("-x", "./-x")]
    [InlineData("-x y", "'./-x y'")]
    [InlineData("", "''")]
    [InlineData("a\n\u001b'\\\u0085z", @"$'a\012\033\'\\\302\205z'")]
    public void Path_IsTypedSoThatAShellTakesItAsItIs(string path, string typed)
    {
        if (!OperatingSystem.IsWindows())
            Assert.Equal(typed, Typed.Path(path));
    }

    [Theory]
    [InlineData("a", " --label a")]
    [InlineData("-a b", " --label='-a b'")]
    [InlineData("--json", " --label=--json")]
    public void Option_WhoseValueBeginsWithADash_IsOneWord(string value, string typed)
    {
        if (!OperatingSystem.IsWindows())
            Assert.Equal(typed, Typed.Option("--label", value));
    }

    [Fact]
    public void Words_ComeOutOfAShellAsTheyWentIn()
    {
        if (!File.Exists("/bin/bash"))
            return;
        string[] words =
        [
            "a b", "it's", "x;y|z&", "$(touch pwned)", "`x`", "$HOME", "~", "*", "?", "[a]", "{a,b}", "!x", "#x", "a\\b", "\"q\"", "=x",
            "é\u0085", "a\u001b[31m", "line\nend", "\u202e", "'", "", "%s",
        ];
        ProcessStartInfo start = new("/bin/bash", ["-c", $"printf '%s\\0' {string.Join(' ', words.Select(Typed.Word))}"])
        {
            RedirectStandardOutput = true,
            StandardOutputEncoding = System.Text.Encoding.UTF8,
        };
        using Process shell = Process.Start(start)!;
        Assert.Equal(words, shell.StandardOutput.ReadToEnd().Split('\0')[..^1]);
    }
}
