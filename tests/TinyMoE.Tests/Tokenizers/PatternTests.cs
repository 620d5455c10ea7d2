using System.Diagnostics;
using System.Text;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tests.Tokenizers;

/// <summary>Regular expressions as Oniguruma reads them, and the scanners that stand for well-known ones.</summary>
public sealed class PatternTests
{
    public static TheoryData<string> Known => [.. KnownPatterns.All];

    [Theory]
    [MemberData(nameof(Known))]
    public void Scanner_RandomText_CutsAsTheEngine(string expression)
    {
        IPattern scanner = KnownPatterns.Of(expression)!;
        Pattern engine = Pattern.Parse(expression);
        Random random = new(1);
        for (int i = 0; i < 3000; i++)
        {
            string text = RandomText.Next(random);
            Assert.Equal(Cut(engine, text), Cut(scanner, text));
        }
    }

    [Theory]
    [InlineData("a+", "baaac", "aaa")]
    [InlineData("a+?", "aaa", "a|a|a")]
    [InlineData(@"\p{L}+", "añ😀𝒳𐐀1", "añ|𝒳𐐀")] // letters beyond the basic plane
    [InlineData(@"\p{Lu}\P{Lu}*", "AbCd", "Ab|Cd")]
    [InlineData(@"[^\s\p{N}]+", "ab1c d", "ab|c|d")]
    [InlineData("(?i:the)", "The tHE", "The|tHE")]
    [InlineData("(?i)s", "Sſs", "S|ſ|s")] // the long s
    [InlineData("a(?i)b|c", "aBCc", "aB")] // (?i) takes the alternatives behind it: a(?i:b|c)
    [InlineData(@"\d{2,3}+", "12345", "12345")] // a repetition of a repetition
    [InlineData(@"\d{2}", "12345", "12|34")]
    [InlineData(@"\d{,2}x", "1234x", "34x")]
    [InlineData("a{|b", "a{b", "a{|b")]
    [InlineData(@"a++a|a", "aaa", "a|a|a")]
    [InlineData(@"(?>a*)b", "aab", "aab")]
    [InlineData("(?<=a)b|(?<!a)c", "abcac", "b|c")]
    [InlineData(@"x(?=y)|y(?!x)", "xyyx", "x|y")]
    [InlineData("^.", "a\nb", "a|b")]
    [InlineData(".$", "a\nb", "a|b")]
    [InlineData(@"\A.|.\z", "a\nb", "a|b")]
    [InlineData(@"\b\w+\b", "to be", "to|be")]
    [InlineData("(?m:a.b)", "a\nb", "a\nb")]
    [InlineData(@"[\w&&[^a-c]]+", "abdé", "dé")]
    [InlineData(@"[^(\s|[.,])]+", "a.b c", "a|b|c")] // a class in a class
    [InlineData(@"[]a]", "]a", "]|a")]
    [InlineData(@"\x41\x{1F600}\u00e9", "A😀é", "A😀é")]
    [InlineData("(?:a|ab)(?:c|bcd)", "abcd", "abcd")]
    [InlineData("(?:a*)*b", "aab", "aab")]
    [InlineData("a*", "baac", "|aa|")]
    [InlineData(@"\p{Han}+", "漢字かな", "漢字")]
    [InlineData(@"[[:space:]]+", "a \u3000b", " \u3000")]
    public void Pattern_Text_FindsTheMatches(string expression, string text, string expected) =>
        Assert.Equal(expected, string.Join('|', Find(Pattern.Parse(expression), text)));

    [Theory]
    [InlineData("(a", "a ( has no )")]
    [InlineData("a)", "a ) has no (")]
    [InlineData("[a", "a [ has no ]")]
    [InlineData("*a", "nothing before *")]
    [InlineData(@"\p{Klingon}", @"\p{Klingon} is not known")]
    [InlineData(@"(a)\1", @"\1 is not known")]
    [InlineData("(?x:a)", "(?x is not known")]
    [InlineData("(?i:miss)", "'ss' where case does not count")]
    [InlineData("(?<=a*)b", "a look behind has no longest length")]
    [InlineData("a{5,2}", "not from 5 to 2 times")]
    [InlineData("a{2000}", "at most 1000")]
    [InlineData("(?:(?:(?:ab){100}){100}){100}", "more than 20000 steps")]
    [InlineData("[z-a]", "goes backwards")]
    [InlineData("[[:alpha:]]", "[:alpha:] is not known")]
    [InlineData("\\", "nothing behind the last")]
    [InlineData("a****", null)]
    [InlineData("a*******", "again and again")]
    public void Parse_WhatIsNotKnown_IsRefusedByName(string expression, string? expected)
    {
        if (expected == null)
            Assert.NotNull(Pattern.Parse(expression));
        else
            Assert.Contains(expected, Assert.Throws<FormatException>(() => Pattern.Parse(expression)).Message);
    }

    [Fact]
    public void Parse_GroupsOrClassesWithoutEnd_AreRefused()
    {
        Assert.Throws<FormatException>(() => Pattern.Parse(new string('(', 100_000)));
        Assert.Throws<FormatException>(() => Pattern.Parse(new string('[', 100_000)));
        Assert.NotNull(Pattern.Parse("[" + new string('a', 100_000) + "]")); // and does not overflow when it is asked
    }

    [Fact]
    public void Find_PatternThatTriesForEver_IsOneClearLine()
    {
        Stopwatch watch = Stopwatch.StartNew();
        string message = OneLineOf("(?:a+)+b", new string('a', 60) + "c");

        Assert.Contains("(?:a+)+b", message);
        Assert.Contains("tries too many ways", message);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60));
    }

    private static string OneLineOf(string expression, string text) =>
        Files.OneLine.Of(() => Pattern.Parse(expression).Find(Encoding.UTF8.GetBytes(text), 0, out _, out _));

    private static List<string> Find(IPattern pattern, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        List<string> found = [];
        Matches matches = new(pattern, utf8);
        while (matches.Next(out int start, out int end))
            found.Add(Encoding.UTF8.GetString(utf8.AsSpan(start..end)));
        return found;
    }

    private static List<int> Cut(IPattern pattern, string text)
    {
        List<int> places = [];
        Matches matches = new(pattern, Encoding.UTF8.GetBytes(text));
        while (matches.Next(out int start, out int end))
            places.AddRange([start, end]);
        return places;
    }
}
