using System.Diagnostics;
using System.Text.Json.Nodes;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers.Chat;

namespace TinyMoE.Tests.Tokenizers.Chat;

/// <summary>Errors, limits and the surface of templates; what they render is in the golden files.</summary>
public sealed class ChatTemplateTests
{
    private static readonly ChatMessage[] Hello = [new("user", "Hello")];

    [Fact]
    public void Render_OfMessages_GivesRoleAndContent()
    {
        ChatTemplate template = Parse(
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{{ add_generation_prompt }}{{ bos_token }}");
        Dictionary<string, JsonNode?> variables = new() { ["bos_token"] = "<s>" };

        Assert.Equal("<user>HelloTrue<s>", template.Render(Hello, addGenerationPrompt: true, variables));
        Assert.Equal("<user>HelloFalse", template.Render(Hello, addGenerationPrompt: false));
    }

    [Fact]
    public void Render_Twice_StartsAfresh()
    {
        ChatTemplate template = Parse("{{ x }}{% set x = 1 %}{{ x }}{% set c = cycler(1, 2) %}{{ c.next() }}");

        Assert.Equal("11", template.Render(Hello, addGenerationPrompt: false));
        Assert.Equal("11", template.Render(Hello, addGenerationPrompt: false));
    }

    [Theory]
    [InlineData("a\n\n{{ raise_exception('No way!') }}", "T refuses the conversation: No way! (line 3).")]
    [InlineData("a\n{{ x.y }}", "T cannot be rendered: 'x' is undefined (line 2).")]
    [InlineData("{{ messages[0].content\n+ 1 }}", "T cannot be rendered: can only concatenate str (not \"int\") to str (line 2).")]
    [InlineData("{% for a, b in [1] %}{% endfor %}", "T cannot be rendered: cannot unpack non-iterable int object (line 1).")]
    [InlineData("{{ 'a'|nonsense }}", "T cannot be rendered: No filter named 'nonsense' (line 1).")]
    [InlineData("{{ [].append(1) }}", "T cannot be rendered: access to attribute 'append' of 'list' object is unsafe (line 1).")]
    [InlineData("{{ ''.__class__() }}", "T cannot be rendered: access to attribute '__class__' of 'str' object is unsafe (line 1).")]
    [InlineData("{{ raise_exception('a\nb\u001b') }}", "T refuses the conversation: a b? (line 1).")]
    public void Render_OfWhatCannotBe_IsALineWithItsPlace(string source, string expected) =>
        Assert.Equal(expected, OneLine.Of(() => Parse(source).Render(Hello, addGenerationPrompt: false)));

    [Theory]
    [InlineData("{% for a in b%}", "Unexpected end of template. Jinja was looking for 'endfor' or 'else' to end the block 'for' (line 1).")]
    [InlineData("{% nonsense %}", "Encountered unknown tag 'nonsense' (line 1).")]
    [InlineData("{{ 'a }}", "unexpected char ''' (line 1).")]
    [InlineData("{{ (1 }}", "unexpected '}', expected ')' (line 1).")]
    [InlineData("\n{# a", "Missing end of comment tag (line 2).")]
    [InlineData("{% include 'a' %}", "the tag 'include' is not for chat templates, which are of one file (line 1).")]
    public void Parse_OfWhatIsNoTemplate_IsALineWithItsPlace(string source, string expected) =>
        Assert.Equal("T is no chat template: " + expected, OneLine.Of(() => Parse(source)));

    [Theory]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "macros call one another more than")]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "it takes more than")]
    [InlineData("{% for a in range(100001) %}{% endfor %}", "Range too big")]
    [InlineData("{{ 'aaaaaaaaaa' * 100000000 }}", "longer than")]
    [InlineData("{{ [1] * 1000000000 }}", "longer than")]
    [InlineData("{{ 10 ** 10 ** 10 ** 10 ** 10 }}", "bits")]
    [InlineData("{{ 'a'.center(2000000000) }}", "longer than")]
    [InlineData("{{ '%999999999d' % 1 }}", "")]
    [InlineData("{{ 'a'|indent(2000000000, true) }}", "longer than")]
    [InlineData("{% set ns = namespace(a='aaaaaaaaaaaaaaaa') %}{% for i in range(99) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}", "than")]
    [InlineData("{% set ns = namespace(a=[1]) %}{% for i in range(99) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}", "than")]
    [InlineData("{% set ns = namespace(a=(1,)) %}{% for i in range(99) %}{% set ns.a = (ns.a, ns.a) %}{% endfor %}{{ {ns.a: 1} }}", "than")]
    [InlineData("{% set n = namespace(a=[1]) %}{% for i in range(99) %}{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a|tojson }}", "than")]
    [InlineData("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", "deep")]
    [InlineData("{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}", "more than")]
    [InlineData("{{ [1]|batch(2000000000, 1)|list }}", "longer than")]
    [InlineData("{{ [1]|slice(2000000000)|list }}", "Range too big")]
    [InlineData("{{ ('x' * 1000000).replace('', 'y' * 1000000) }}", "longer than")]
    [InlineData("{{ ('x' * 1000000).replace('x', 'y' * 1000000) }}", "longer than")]
    [InlineData("{{ range(100000)|join('x' * 100000) }}", "longer than")]
    public void Render_OfWhatNeverEnds_EndsSoonInOneLine(string source, string expected)
    {
        Stopwatch clock = Stopwatch.StartNew();
        try
        {
            Parse(source).Render(Hello, addGenerationPrompt: false);
            Assert.Equal("", expected); // a small thing after all
        }
        catch (TinyMoEException e)
        {
            Assert.Contains(expected, e.Message);
            Assert.DoesNotContain('\n', e.Message);
        }

        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"it took {clock.Elapsed}");
    }

    [Theory]
    [InlineData("(", ")")]
    [InlineData("[", "]")]
    [InlineData("-", "")]
    [InlineData("not ", "")]
    [InlineData("{'a': ", "}")]
    [InlineData("1 if 1 else ", "")]
    public void Parse_OfDeepNesting_IsALine(string open, string close)
    {
        string deep = string.Concat(Enumerable.Repeat(open, 50_000)) + "1" + string.Concat(Enumerable.Repeat(close, 50_000));

        Assert.Contains("nests more than", OneLine.Of(() => Parse("{{ " + deep + " }}")));
        Assert.Contains("nests more than", OneLine.Of(() => Parse(string.Concat(Enumerable.Repeat("{% if 1 %}", 50_000)))));
        Assert.Contains("nests more than", OneLine.Of(() => Parse("{{ 1" + string.Concat(Enumerable.Repeat("|abs", 50_000)) + " }}")));
    }

    [Fact]
    public void Render_OfALongSum_IsItsValueOrALine()
    {
        string Sum(int terms) => "{{ 0" + string.Concat(Enumerable.Repeat(" + 1", terms)) + " }}";

        Assert.Equal("1000", Parse(Sum(1000)).Render(Hello, addGenerationPrompt: false));
        Assert.Contains("deep", OneLine.Of(() => Parse(Sum(200_000)).Render(Hello, addGenerationPrompt: false)));
    }

    [Fact]
    public void Render_OfMessagesThatAreDeep_IsALine()
    {
        JsonNode deep = new JsonArray();
        for (int i = 0; i < 1000; i++)
            deep = new JsonArray(deep);

        Assert.Contains("deep", OneLine.Of(() => Parse("{{ 1 }}").Render(deep, addGenerationPrompt: false)));
    }

    [Fact]
    public void Render_OfALongConversation_IsFarFromTheLimits()
    {
        ChatTemplate template = ChatTemplate.Load(Path.Combine(
            FloorsTests.RepositoryRoot(), "tests", "golden", "chat", "more", "alternate-tools", "chat_template.jinja"));
        string words = new('x', 2000);
        ChatMessage[] messages = [.. Enumerable.Range(0, 2000).Select(i => new ChatMessage(i % 2 == 0 ? "user" : "assistant", words))];

        Assert.True(template.Render(messages, addGenerationPrompt: true).Length > 4_000_000);
    }

    [Fact]
    public void StrftimeNow_WithoutATime_AsksTheClock() =>
        Assert.StartsWith("20", Parse("{{ strftime_now('%Y') }}").Render(Hello, addGenerationPrompt: false));

    [Fact]
    public void Load_OfAFileThatIsNot_IsALine()
    {
        using TemporaryFolder folder = new();

        Assert.Contains("nothing.jinja", OneLine.Of(() => ChatTemplate.Load(folder["nothing.jinja"])));
        Assert.Contains("is no chat template", OneLine.Of(() => ChatTemplate.Load(folder.Write("a.jinja", "{% if %}"))));
    }

    private static ChatTemplate Parse(string source) => ChatTemplate.Parse(source, "T");
}
