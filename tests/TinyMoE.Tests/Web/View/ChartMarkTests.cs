using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using TinyMoE.Tests.Files;
using TinyMoE.Web;
using TinyMoE.Web.View;
using TinyMoE.Web.View.Components;
using TinyMoE.Web.View.Reports;
using TinyMoE.Web.View.Runs;

namespace TinyMoE.Tests.Web.View;

/// <summary>Warnings on the curves: where they are, and that their texts are reached by keys and read aloud.</summary>
[Collection(ViewCollection.Name)]
public sealed class ChartMarkTests(Browser browser) : IDisposable
{
    private const string Collapse = "layer 1 is collapsing", Jump = "the loss has jumped";

    private static readonly Curve Line = new("training", [new CurvePoint(10, 4), new CurvePoint(20, 2), new CurvePoint(40, 2)], 0);

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(1, 4)]
    [InlineData(10, 4)]
    [InlineData(15, 3)]
    [InlineData(30, 2)]
    [InlineData(99, 2)]
    public void AMark_LiesOnItsCurve(double x, double height)
    {
        ChartMark mark = ChartMark.On(Line, x, new RunEvent("warning", (int)x, 3, Jump), "a, ")!;
        Assert.Equal((x, height, "warning", $"a, step {x}, layer 3: {Jump}"), (mark.X, mark.Y, mark.Kind, mark.Text));
    }

    [Fact]
    public void MarksOnOneAnother_AreOne_WithAllTexts()
    {
        ChartMark[] marks = ChartMark.Thin(Enumerable.Range(0, 5000).Select(step => new ChartMark(step, 2, "warning", $"{step}")));
        Assert.InRange(marks.Length, 30, 41);
        Assert.Equal(5000, marks.Sum(mark => mark.Text.Split('\n').Length));
        Assert.Empty(ChartMark.Thin([]));
        Assert.Null(ChartMark.On(Line, double.NaN, new RunEvent("warning", 1, null, Jump), ""));
    }

    [Fact]
    public void Report_HasThemOnEachCurve_AndTheirTextsOnce()
    {
        string run = NewRun();
        Report.Write(new ReportOptions([run], folder["report.html"]));
        string html = File.ReadAllText(folder["report.html"]);
        string loss = Regex.Match(html, "<figure class=\"chart\" aria-label=\"Loss\".*?</figure>", RegexOptions.Singleline).Value;
        Assert.Contains("2 warnings", loss, StringComparison.Ordinal);
        Assert.Contains("1 problem", loss, StringComparison.Ordinal);
        Assert.Contains($"<li>step 20, layer 1: {Collapse}</li>", loss, StringComparison.Ordinal);
        Assert.Contains($"<li>step 40: {Jump}</li>", loss, StringComparison.Ordinal);
        Assert.DoesNotContain("only said", loss, StringComparison.Ordinal); // a note
        string violation = Regex.Match(html, "<figure class=\"chart\" aria-label=\"Violation\".*?</figure>", RegexOptions.Singleline).Value;
        Assert.Contains("1 warning", violation, StringComparison.Ordinal); // that of a layer
        Assert.DoesNotContain(Jump, violation, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Page_ShowsThem_AndAKeyOpensTheirTexts()
    {
        List<string> said = [];
        using ViewServer server = ViewServer.Start(new ViewOptions { Runs = [NewRun()] }, new ServerOptions { Port = 0 });
        IPage page = await browser.OpenAsync(server.Address.ToString(), said);
        ILocator loss = page.Locator("figure[aria-label='Loss']");
        await Assertions.Expect(loss.Locator("path[style*='--warn'], path[style*='--bad']").First).ToBeVisibleAsync();
        await loss.Locator("summary").FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(loss.Locator(".marks li")).ToHaveTextAsync(
            [$"step 20, layer 1: {Collapse}", $"step 40: {Jump}", "step 50: no number"]);
        await Assertions.Expect(loss.Locator(".marks li").First).ToBeVisibleAsync();

        LocatorBoundingBoxResult box = (await loss.Locator("svg").First.BoundingBoxAsync())!;
        // The chart's numbers, by mouse: of a point that is there, on the curve that has it.
        await page.Mouse.MoveAsync(box.X + (box.Width / 2), box.Y + (box.Height / 2));
        ILocator tooltip = page.Locator(".rz-chart-tooltip");
        await Assertions.Expect(tooltip).ToContainTextAsync("training");
        Match point = Regex.Match((await tooltip.InnerTextAsync()).ReplaceLineEndings(" "), "(\\d+) .*training.* ([0-9.]+)");
        Assert.Equal(LossAt(int.Parse(point.Groups[1].Value, CultureInfo.InvariantCulture)), point.Groups[2].Value);
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(Browser.Pictures, "marks.png"), FullPage = true });
        Assert.Empty(said);
        await page.CloseAsync();
    }

    private static string LossAt(int step) => (60.0 / (step + 10)).ToString("0.###", CultureInfo.InvariantCulture);

    private string NewRun()
    {
        string[] lines =
        [
            .. Enumerable.Range(1, 60).Select(step => $"{{\"kind\":\"train\",\"step\":{step},\"loss\":{LossAt(step)},"
                + "\"learning_rate\":0.001,\"gradient_norm\":1,\"tokens_per_second\":900}"),
            "{\"kind\":\"routing\",\"step\":20,\"layer\":1,\"load\":[0.25,0.75],\"entropy\":0.5,\"max_violation\":0.5,\"dead\":0}",
            "{\"kind\":\"routing\",\"step\":40,\"layer\":1,\"load\":[0.25,0.75],\"entropy\":0.5,\"max_violation\":0.5,\"dead\":0}",
            $"{{\"kind\":\"warning\",\"step\":20,\"layer\":1,\"text\":\"{Collapse}\"}}",
            $"{{\"kind\":\"warning\",\"step\":40,\"text\":\"{Jump}\"}}",
            "{\"kind\":\"problem\",\"step\":50,\"text\":\"no number\"}",
            "{\"kind\":\"note\",\"step\":50,\"text\":\"only said\"}",
        ];
        folder.Write("run/metrics.jsonl", string.Join('\n', lines) + "\n");
        return folder["run"];
    }
}
