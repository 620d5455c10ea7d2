using System.Globalization;
using System.Text.Json.Nodes;
using TinyMoE.Tokenizers.Chat;

namespace TinyMoE.Tests.Tokenizers.Chat;

/// <summary>Templates are rendered to the letter as transformers does it (tests/golden/chat).</summary>
public sealed class ChatTemplateGoldenTests
{
    private static readonly string Folder = Path.Combine(FloorsTests.RepositoryRoot(), "tests", "golden", "chat");

    [Theory]
    [InlineData("chatml", 8)]
    [InlineData("deepseek", 8)]
    [InlineData("llama3", 8)]
    [InlineData("mistral", 8)]
    [InlineData("more/schema-macros", 24)]
    [InlineData("more/alternate-tools", 24)]
    [InlineData("more/blocks", 24)]
    public void Render_OfATemplateOfAFamily_IsTransformersText(string name, int count)
    {
        ChatTemplate template = ChatTemplate.Load(Path.Combine(Folder, name, "chat_template.jinja"));
        JsonArray cases = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, name, "cases.json")))!.AsArray();

        Assert.Equal(count, cases.Count);
        Assert.All(cases, item => Check(template, item!, item!["messages"]!, item["variables"]!));
    }

    [Theory]
    [InlineData("expressions", 950)]
    [InlineData("formats", 109)]
    [InlineData("random", 500)]
    public void Render_OfASmallTemplate_IsTransformersText(string name, int count)
    {
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "more", name + ".json")))!;
        JsonArray cases = golden["cases"]!.AsArray();

        Assert.Equal(count, cases.Count);
        Assert.All(cases, item => Check(null, item!, golden["messages"]!, golden["variables"]!));
    }

    private static void Check(ChatTemplate? template, JsonNode item, JsonNode messages, JsonNode variables)
    {
        Dictionary<string, JsonNode?> others = variables.AsObject().ToDictionary(pair => pair.Key, pair => pair.Value);
        bool adds = others.Remove("add_generation_prompt", out JsonNode? prompt) && prompt!.GetValue<bool>();
        DateTime now = DateTime.Parse("2026-02-03T14:05:06.789", CultureInfo.InvariantCulture);
        string Render() => (template ?? ChatTemplate.Parse(item["template"]!.GetValue<string>(), "it"))
            .Render(messages, adds, others, now);

        if (item["text"] is { } text)
            Assert.Equal(text.GetValue<string>(), Render());
        else
            Assert.Contains(Words(item["error"]!.GetValue<string>()), Assert.Throws<TinyMoEException>(Render).Message);
    }

    /// <summary>A message as it is within an error of ours, which is one line.</summary>
    private static string Words(string message) => TinyMoEException.Line(message.TrimEnd('.'));
}
