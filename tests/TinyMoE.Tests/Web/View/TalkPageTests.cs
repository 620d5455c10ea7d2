using Microsoft.Playwright;
using TinyMoE.App;
using TinyMoE.Tests.Cli;
using TinyMoE.Web;
using TinyMoE.Web.View;

namespace TinyMoE.Tests.Web.View;

/// <summary>Talk in a real browser, with a model that has a chat template: its run, exported, and a template beside it.</summary>
[Collection(ViewCollection.Name)]
public sealed class TalkPageTests(ViewedRun viewed, Browser browser)
{
    private const string Template = "{% for m in messages %}{{ m.role[0] }} {{ m.content | trim }}\n{% endfor %}a ";

    private readonly List<string> said = [];

    [Fact]
    public async Task Chat_ComesTokenByToken_IsStopped_AndShowsTheExpertsOfBothSides()
    {
        string model = viewed.Folder["talking"];
        CommandLine export = CommandLine.Run("export", "--run", viewed.Run, "--out", model);
        Assert.Equal((0, ""), (export.ExitCode, export.Error));
        viewed.Folder.Write("talking/chat_template.jinja", Template);
        using ViewServer server = ViewServer.Start(
            new ViewOptions { Model = model, Device = new DeviceChoice(Threads: 1) }, new ServerOptions { Port = 0 });
        IPage page = await browser.OpenAsync(new Uri(server.Address, "talk").ToString(), said);

        await SayAsync(page, "hi cat", tokens: 10);
        ILocator answers = page.Locator(".turn.assistant .written"), ends = page.Locator(".turn small");
        await Assertions.Expect(ends).ToHaveCountAsync(1);
        string first = (await answers.First.TextContentAsync())!;
        Assert.Equal(10, first.Length); // of characters

        await SayAsync(page, " the u ", tokens: 12);
        await Assertions.Expect(ends).ToHaveCountAsync(2);
        string second = (await answers.Last.TextContentAsync())!;
        await page.GetByLabel("show").SelectOptionAsync("expert");
        ILocator shown = page.Locator(".turn [data-expert]");
        string[] sides = ["hi cat", first, "the u", second];
        await Assertions.Expect(shown).ToHaveCountAsync(sides.Sum(side => side.Length));
        string prompt = $"u hi cat\na {first.Trim()}\nu the u\na "; // the template trims
        using TracingThread thread = new(new DeviceChoice(Threads: 1));
        TracedText text = await thread.AskAsync(
            new ViewedModel("", ModelFolder.Hub(model)), traced => traced.Trace(traced.Encode(prompt + second), []));
        await RequireExpertsAsync(page.Locator(".turn").Nth(2), text, prompt.Length - "the u\na ".Length, "the u".Length);
        await RequireExpertsAsync(page.Locator(".turn").Nth(3), text, prompt.Length, second.Length);

        await page.GetByLabel("show").SelectOptionAsync("sure");
        await SayAsync(page, "on", tokens: 100_000);
        int before = await LengthAsync(page, 1); // some tokens came
        int after = await LengthAsync(page, before + 1); // and more
        Assert.True(after > before);
        await page.GetByRole(AriaRole.Button, new() { Name = "Stop" }).ClickAsync();
        await Assertions.Expect(ends.Last).ToContainTextAsync("stopped");
        Assert.Equal(
            ["user", "assistant", "user", "assistant", "user", "assistant"], await page.Locator(".turn h2").AllTextContentsAsync());
        Assert.Empty(said);
        await page.CloseAsync();
    }

    private static async Task SayAsync(IPage page, string text, int tokens)
    {
        await page.Locator("#typed").FillAsync(text);
        await page.GetByLabel("tokens at most").FillAsync($"{tokens}");
        await page.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
    }

    /// <summary>Waits until the last answer, while it is written, has so many characters; how many it has.</summary>
    private static async Task<int> LengthAsync(IPage page, int least)
    {
        const string Length = "Array.from(document.querySelectorAll('.turn.assistant .written')).slice(2).at(-1)?.textContent.length ?? 0";
        await page.WaitForFunctionAsync($"least => ({Length}) >= least", least);
        return await page.EvaluateAsync<int>(Length);
    }

    private static async Task RequireExpertsAsync(ILocator turn, TracedText text, int from, int count) =>
        Assert.Equal(
            text.Tokens.Skip(from).Take(count).Select(token => $"{token.Top(0)}"),
            await turn.Locator("[data-expert] sub").AllTextContentsAsync());
}
