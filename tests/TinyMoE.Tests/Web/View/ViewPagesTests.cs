using System.Globalization;
using System.Text.Json.Nodes;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using TinyMoE.App;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Web;
using TinyMoE.Web.View;

namespace TinyMoE.Tests.Web.View;

/// <summary>The pages in a real browser.</summary>
[Collection(ViewCollection.Name)]
public sealed class ViewPagesTests(ViewedRun viewed, Browser browser)
{
    private readonly List<string> said = [];

    [Theory]
    [InlineData("", "Runs", 1280, false)]
    [InlineData("", "Runs", 390, true)]
    [InlineData("model", ViewedRun.Trained, 1280, true)]
    [InlineData("model", ViewedRun.Trained, 390, false)]
    [InlineData("text", ViewedRun.Trained, 1280, false)]
    [InlineData("text", ViewedRun.Trained, 390, true)]
    [InlineData("experts", ViewedRun.Trained, 1280, true)]
    [InlineData("experts", ViewedRun.Trained, 390, false)]
    [InlineData("talk", ViewedRun.Trained, 1280, true)]
    [InlineData("talk", ViewedRun.Trained, 390, false)]
    public async Task Page_Opens_WithoutErrors_AndIsForAll(string path, string title, int width, bool isDark)
    {
        IPage page = await OpenAsync(path, width, isDark);
        Assert.Equal(title, await page.Locator("h1").TextContentAsync());
        if (path == "text")
            await ShowTextAsync(page);
        if (path == "experts")
        {
            await MeasureExpertsAsync(page);
            await page.Locator("td[data-expert='0:1'] button").ClickAsync();
            await page.Locator("[data-shown='0:1']").WaitForAsync();
        }

        await page.WaitForTimeoutAsync(500);
        await page.ScreenshotAsync(new PageScreenshotOptions
        {
            Path = Path.Combine(Browser.Pictures, $"{(path.Length > 0 ? path : "run")}-{width}-{(isDark ? "dark" : "light")}.png"),
            FullPage = true,
        });
        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"), "wider than the window");
        AxeResult axe = await page.RunAxe();
        Assert.Empty(axe.Violations.Where(each => each.Impact is "serious" or "critical")
            .Select(each => $"{each.Id}: {string.Join("; ", each.Nodes.Select(node => node.Html))}"));
        Assert.Empty(said);
        Assert.Empty(viewed.Errors);
        await page.CloseAsync();
    }

    [Fact]
    public async Task ARunThatTrains_IsFollowed()
    {
        IPage page = await OpenAsync("");
        ILocator step = page.Locator($"tr[data-run={ViewedRun.Live}] [data-step]");
        int next = int.Parse(await step.InnerTextAsync(), CultureInfo.InvariantCulture) + 41;
        viewed.Write(next);
        await Assertions.Expect(step).ToHaveTextAsync($"{next}", new LocatorAssertionsToHaveTextOptions { Timeout = 10_000 });
        Assert.Equal(2, await page.Locator(".chart").First.Locator(".legend li").CountAsync() - 1); // two of training, one of validation
        Assert.Empty(said);
        await page.CloseAsync();
    }

    [Fact]
    public async Task HeatMap_IsReadByKeys()
    {
        IPage page = await OpenAsync("");
        ILocator map = page.Locator(".heat-map");
        await map.FocusAsync();
        await map.PressAsync("ArrowRight");
        await map.PressAsync("ArrowDown");
        Assert.Matches("^step \\d+, expert 1: [0-9.]+ %, [0-9.]+ times even$", await page.Locator(".heat-said").TextContentAsync());
        await page.CloseAsync();
    }

    [Fact]
    public async Task Text_WithoutAnExpert_HasTheLossOfTheCommandLine()
    {
        IPage page = await OpenAsync("text");
        await ShowTextAsync(page);
        await page.Locator("[data-token='3']").HoverAsync();
        await Assertions.Expect(page.Locator("aside code").First).ToHaveTextAsync("␣");
        await page.Locator("[data-expert]").First.ClickAsync();
        ILocator changed = page.Locator("[data-changed]"); // "without 0:3: 3.2305"
        await changed.WaitForAsync();
        string without = (await changed.TextContentAsync())!.Split(' ')[1].TrimEnd(':');
        Assert.True(ExpertId.TryParse(without, out ExpertId ablated), without);
        ScoreResult score = Scoring.Run(new ScoreRequest(viewed.Run)
        {
            Text = "the cat sat", Changes = new ExpertChanges([ablated], []), Device = new DeviceChoice(Threads: 1),
        });
        double expected = score.Tokens.Where(token => token.LogProbability is not null).Average(token => -token.LogProbability!.Value);
        string shown = (await changed.TextContentAsync())!.Split(": ")[^1];
        Assert.Equal(expected, double.Parse(shown, CultureInfo.InvariantCulture), 3);
        Assert.Empty(said);
        await page.CloseAsync();
    }

    [Fact]
    public async Task AToken_HasTheRoutersProbabilitiesOfATrace_AlsoOfExpertsThatWereNotChosen()
    {
        string trace = viewed.Folder["shares.jsonl"];
        EvaluationRequest windows = new(viewed.Run) { Device = new DeviceChoice(Threads: 1) };
        Tracing.Run(new TraceRequest(windows) { Text = "the cat sat", Out = trace, Probabilities = 100 });
        JsonNode token = JsonNode.Parse(File.ReadLines(trace).ElementAt(5))!;
        IPage page = await OpenAsync("text");
        await ShowTextAsync(page);
        await page.Locator("[data-token='5']").HoverAsync();
        await Assertions.Expect(page.Locator("aside code").First).ToHaveTextAsync("a");
        foreach (JsonNode? layer in token["layers"]!.AsArray())
        {
            HashSet<int> chosen = [.. layer!["choices"]!.AsArray().Select(choice => (int)choice!["expert"]!)];
            string[] expected = [.. layer["probabilities"]!.AsArray().Select(each => (Expert: (int)each!["expert"]!, Share: each)).Select(
                each => $"{each.Expert}: {Percent((float)each.Share!["probability"]!)}{(chosen.Contains(each.Expert) ? " ✓" : "")}")];
            ILocator row = page.Locator($"[data-routed='{layer["layer"]}']");
            Assert.True(expected.Length > chosen.Count);
            Assert.Equal(expected, (await row.Locator("[data-share]").AllTextContentsAsync()).Select(text => text.Trim()));
        }

        Assert.Empty(said);
        await page.CloseAsync();
    }

    [Fact]
    public async Task Experts_HaveTheNumbersOfTheCommandLine()
    {
        IPage page = await OpenAsync("experts");
        await MeasureExpertsAsync(page);
        AblationResult result = Ablating.Run(new EvaluationRequest(viewed.Run) { Windows = 2, Device = new DeviceChoice(Threads: 1) });
        string whole = (await page.Locator("[data-whole]").TextContentAsync())!;
        Assert.Equal(result.Report.Whole.Mean, double.Parse(whole, CultureInfo.InvariantCulture), 3);
        Assert.Equal(result.Report.Experts.Count, await page.Locator("td[data-expert]").CountAsync());
        string load = await page.Locator("td[data-expert='1:2'] small").InnerTextAsync();
        float expected = result.Report.Experts.Single(each => (each.Layer, each.Expert) == (1, 2)).Load;
        Assert.Equal(Percent(expected), load);
        await page.CloseAsync();
    }

    [Fact]
    public async Task AnExpert_LivesOnWhatATraceSays()
    {
        IPage page = await OpenAsync("experts");
        await MeasureExpertsAsync(page);
        EvaluationRequest windows = new(viewed.Run) { Windows = 2, Device = new DeviceChoice(Threads: 1) };
        TraceSummary summary = Tracing.Run(new TraceRequest(windows) { Summarises = true }).Summary!;
        await page.Locator("td[data-expert='0:0'] button").FocusAsync();
        foreach (string key in (string[])["ArrowRight", "ArrowDown", "ArrowRight", "Enter"])
            await page.Keyboard.PressAsync(key);
        await RequireShownAsync(page, summary, layer: 1, expert: 2);
        ILocator partner = page.Locator("[data-partner]").First;
        int other = int.Parse((await partner.GetAttributeAsync("data-partner"))!, CultureInfo.InvariantCulture);
        float[] together = summary.Layers[1].CoActivation![2];
        Assert.Equal(together.Where((_, e) => e != 2).Max(), together[other]);
        Assert.Equal($"{other}: {Percent(together[other])}", await partner.TextContentAsync());
        await partner.ClickAsync();
        await RequireShownAsync(page, summary, layer: 1, other);
        Assert.Empty(said);
        await page.CloseAsync();
    }

    [Fact]
    public async Task ALongText_IsRefusedInWords_AndThePageGoesOn()
    {
        IPage page = await OpenAsync("text");
        await page.Locator("#looked").FillAsync(new string('a', 200_000));
        await page.GetByRole(AriaRole.Button, new() { Name = "Show" }).ClickAsync();
        await Assertions.Expect(page.Locator("[role=alert]")).ToContainTextAsync("200000 tokens; a page takes 1 to 4096");
        await ShowTextAsync(page);
        Assert.Empty(said);
        await page.CloseAsync();
    }

    [Fact]
    public async Task Talk_GoesOnWithAText()
    {
        IPage page = await OpenAsync("talk");
        await page.Locator("#typed").FillAsync("the cat");
        await page.GetByLabel("tokens at most").FillAsync("12");
        await page.GetByRole(AriaRole.Button, new() { Name = "Go on" }).ClickAsync();
        ILocator end = page.Locator(".turn small");
        await end.WaitForAsync();
        Assert.StartsWith("as many tokens as were asked for", await end.TextContentAsync(), StringComparison.Ordinal);
        Assert.Equal(12, (await page.Locator(".turn").Last.Locator(".written").TextContentAsync())!.Length); // of characters
        await page.GetByLabel("temperature").FillAsync("-1");
        await page.GetByRole(AriaRole.Button, new() { Name = "Go on" }).ClickAsync();
        await Assertions.Expect(page.Locator("[role=alert]")).ToContainTextAsync("temperature is -1");
        Assert.Empty(said);
        await page.CloseAsync();
    }

    [Fact]
    public async Task AHeldOutWindow_IsThatOfATrace()
    {
        string trace = viewed.Folder["windows.jsonl"];
        EvaluationRequest windows = new(viewed.Run) { Windows = 2, Device = new DeviceChoice(Threads: 1) };
        TraceResult expected = Tracing.Run(new TraceRequest(windows) { Out = trace });
        JsonNode[] tokens = [.. File.ReadLines(trace).Select(line => JsonNode.Parse(line)!).Where(token => (int?)token["window"] == 1)];
        IPage page = await OpenAsync("text");
        await page.GetByLabel("held-out text").FillAsync("2");
        await page.GetByRole(AriaRole.Button, new() { Name = "Take window" }).ClickAsync();
        await Assertions.Expect(page.Locator("[data-windows]")).ToHaveTextAsync($"of {expected.Measured!.Of}");
        Assert.Equal(tokens.Length, await page.Locator("[data-token]").CountAsync());
        string loss = (await page.Locator("[data-loss]").TextContentAsync())!.Split(' ')[1];
        double mean = tokens.Where(token => token["loss"] is not null).Average(token => (double)token["loss"]!);
        Assert.Equal(mean, double.Parse(loss, CultureInfo.InvariantCulture), 1e-4);
        await page.Locator("[data-expert]").First.ClickAsync(); // the window stays what is looked at
        await page.Locator("[data-changed]").WaitForAsync();
        Assert.Equal($"loss {loss}", await page.Locator("[data-loss]").TextContentAsync());
        await ShowTextAsync(page);
        await Assertions.Expect(page.Locator("[data-token]")).ToHaveCountAsync("the cat sat".Length);
        Assert.Empty(said);
        await page.CloseAsync();
    }

    [Fact]
    public async Task Talk_ShowsTheExpertsOfWhatWasWritten()
    {
        IPage page = await OpenAsync("talk");
        await page.Locator("#typed").FillAsync("the cat");
        await page.GetByLabel("tokens at most").FillAsync("12");
        await page.GetByRole(AriaRole.Button, new() { Name = "Go on" }).ClickAsync();
        await page.Locator(".turn small").WaitForAsync();
        string written = (await page.Locator(".turn").Last.Locator(".written").TextContentAsync())!;
        await page.GetByLabel("show").SelectOptionAsync("expert");
        ILocator shown = page.Locator(".turn [data-expert]");
        await Assertions.Expect(shown).ToHaveCountAsync("the cat".Length + 12); // what was typed as well
        using TracingThread thread = new(new DeviceChoice(Threads: 1));
        TracedText text = await thread.AskAsync(
            new ViewedModel("", viewed.Run), model => model.Trace(model.Encode("the cat" + written), []));
        foreach (int mixture in (int[])[0, 1])
        {
            await page.GetByLabel("of layer").SelectOptionAsync($"{mixture}");
            await Assertions.Expect(shown.Locator("sub")).ToHaveTextAsync(
                text.Tokens.Select(token => $"{token.Top(mixture)}"));
        }

        Assert.Equal(12, written.Length);
        Assert.Empty(said);
        await page.CloseAsync();
    }

    [Fact]
    public async Task AServerThatEnds_IsSaidOnThePage_AndNowhereElse()
    {
        ViewServer server = ViewServer.Start(viewed.Options, new ServerOptions { Port = 0 });
        IPage page;
        try
        {
            page = await browser.OpenAsync(server.Address.ToString(), said);
            await Assertions.Expect(page.Locator("#ended")).ToBeHiddenAsync();
        }
        finally
        {
            server.Dispose();
        }

        await Assertions.Expect(page.Locator("#ended")).ToContainTextAsync("tinymoe view was stopped");
        await Assertions.Expect(page.Locator("#ended")).ToBeVisibleAsync();
        await page.WaitForTimeoutAsync(1500);
        Assert.Empty(said);
        await page.CloseAsync();
    }

    private Task<IPage> OpenAsync(string path, int width = 1280, bool isDark = false) =>
        browser.OpenAsync(new Uri(viewed.Server.Address, path).ToString(), said, width, isDark);

    private static async Task MeasureExpertsAsync(IPage page)
    {
        await page.GetByLabel("windows").FillAsync("2");
        await page.GetByRole(AriaRole.Button, new() { Name = "Measure" }).ClickAsync();
        await page.Locator("[data-whole]").WaitForAsync();
    }

    private static async Task RequireShownAsync(IPage page, TraceSummary summary, int layer, int expert)
    {
        ExpertSummary expected = summary.Layers[layer].Experts[expert];
        ILocator shown = page.Locator($"[data-shown='{layer}:{expert}']");
        await shown.WaitForAsync();
        Assert.Equal(expected.Tokens.ToString("N0", CultureInfo.InvariantCulture), await shown.Locator("[data-tokens]").TextContentAsync());
        Assert.Equal(Percent(expected.Share), await shown.Locator("[data-share]").TextContentAsync());
        Assert.Equal(expected.MeanGate, await NumberAsync(shown.Locator("[data-gate]")), 1e-4);
        Assert.Equal(expected.MeanOutputNorm!.Value, await NumberAsync(shown.Locator("[data-norm]")), 1e-4);
        Assert.Equal(
            expected.LivesOn.Select(token => $"{token.Count} of {token.Of}"),
            await shown.Locator("[data-lives] td:nth-child(2)").AllTextContentsAsync());
        string[] lifts = [.. await shown.Locator("[data-lives] td:nth-child(3)").AllTextContentsAsync()];
        Assert.All(expected.LivesOn.Zip(lifts), each => Assert.Equal(
            each.First.Lift, double.Parse(each.Second, CultureInfo.InvariantCulture), 1e-4));
        Assert.Equal(expected.Contexts.Count, await shown.Locator("[data-context]").CountAsync());
        TokenContext context = expected.Contexts[0];
        string text = (context.Before + context.Token + context.After).Replace("\n", "⏎", StringComparison.Ordinal);
        string written = (await shown.Locator($"[data-context='{context.Window}:{context.Position}'] .written").TextContentAsync())!;
        Assert.Equal(text, written.Replace('␣', ' '));
        Assert.Equal(
            Percent(expected.ByPosition[7]), (await shown.Locator("[data-of='eighth 8 of a window'] td").Last.TextContentAsync())!.Trim());
    }

    private static async Task<double> NumberAsync(ILocator place) =>
        double.Parse((await place.TextContentAsync())!, CultureInfo.InvariantCulture);

    private static string Percent(float share) => (100 * share).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    private static async Task ShowTextAsync(IPage page)
    {
        await page.Locator("#looked").FillAsync("the cat sat");
        await page.GetByRole(AriaRole.Button, new() { Name = "Show" }).ClickAsync();
        await page.Locator("[data-token='10']").WaitForAsync();
    }
}
