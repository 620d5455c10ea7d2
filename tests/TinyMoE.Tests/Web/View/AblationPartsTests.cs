using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using TinyMoE.App;
using TinyMoE.Inspect;
using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Files;
using TinyMoE.Web.View.Components;
using TinyMoE.Web.View.Reports;

namespace TinyMoE.Tests.Web.View;

/// <summary>What is lost without each expert: with the trace that a page asks for beside it, and in a report.</summary>
[Collection(ViewCollection.Name)]
public sealed class AblationPartsTests(ViewedRun viewed, Browser browser) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private EvaluationRequest Request => new(viewed.Run) { Windows = 2, Device = new DeviceChoice(Threads: 1) };

    public void Dispose() => folder.Dispose();

    [Fact]
    public void WithASummary_ItIsTheAblationAndTheTraceOfTheSameModel_AndProgressCountsBoth()
    {
        List<(int Made, int All)> alone = [], both = [];
        AblationResult ablation = Ablating.Run(Request, (made, all) => alone.Add((made, all)), TestContext.Current.CancellationToken);
        AblationResult result = Ablating.RunWithSummary(
            Request, (made, all) => both.Add((made, all)), TestContext.Current.CancellationToken);
        TraceSummary summary = Tracing.Run(new TraceRequest(Request) { Summarises = true }, TestContext.Current.CancellationToken).Summary!;

        Assert.Equal(ablation.Report.Experts, result.Report.Experts);
        Assert.Equal((6, ablation.Report.Whole), (result.Step, result.Report.Whole));
        Assert.Null(ablation.Summary);
        Assert.Equal(summary.Layers.Count, result.Summary!.Layers.Count);
        Assert.All(summary.Layers.Zip(result.Summary.Layers), pair => Assert.Equal(
            pair.First.Experts.Select(Words), pair.Second.Experts.Select(Words)));

        Assert.Equal(Enumerable.Range(1, both.Count), both.Select(each => each.Made));
        Assert.All(both, each => Assert.Equal(both.Count, each.All)); // the end is where it says from the start
        Assert.True(both.Count > alone.Count);

        static string Words(ExpertSummary expert) => $"{expert.Expert} {expert.Tokens} {expert.MeanGate} {expert.MeanOutputNorm} "
            + string.Join(',', expert.LivesOn.Select(token => $"{token.Id} {token.Count}"));
    }

    [Fact]
    public void Report_HasTheNumbersOfTheCommandLine()
    {
        string file = folder["report.html"];
        CommandLine report = CommandLine.Run(
            ["report", "--run", .. viewed.Options.Runs, "--out", file, "--ablate-windows", "2", "--threads", "1"]);
        Assert.Equal(0, report.ExitCode);
        AblationReport expected = Ablating.Run(Request, stop: TestContext.Current.CancellationToken).Report;
        string html = File.ReadAllText(file);
        string section = Regex.Match(
            html, $"<section[^>]*data-ablated=\"{ViewedRun.Trained}\".*?</section>", RegexOptions.Singleline).Value;
        Assert.Contains($"<strong data-whole>{Say.Short(expected.Whole.Mean)}</strong>, at step 6, on", section, StringComparison.Ordinal);
        MatchCollection cells = Regex.Matches(section, "data-expert=\"([0-9:]+)\">.*?<strong>(.*?)</strong>.*?<small>(.*?)</small>",
            RegexOptions.Singleline);
        Assert.Equal(expected.Experts.Select(each => (
            $"{each.Layer}:{each.Expert}", Signed(each.Loss.Mean - expected.Whole.Mean), Say.Percent(each.Load))), cells.Select(cell =>
            (cell.Groups[1].Value, WebUtility.HtmlDecode(cell.Groups[2].Value), WebUtility.HtmlDecode(cell.Groups[3].Value))));
        Assert.DoesNotContain($"data-ablated=\"{ViewedRun.Live}\"", html, StringComparison.Ordinal); // it has no model
        Assert.DoesNotContain("<button", html, StringComparison.Ordinal);
    }

    [Fact]
    public void ATextThatIsGone_IsToldInTheReport_WhichHasTheRest()
    {
        string data = folder.Write("text.txt", string.Concat(Enumerable.Repeat("the cat sat on the mat\n", 90)));
        CommandLine train = CommandLine.Run(
            "train", "--data", data, "--out", folder["run"], "--steps", "1", "--threads", "1", "--set", "model.width=32", "model.layers=1",
            "model.context=32", "moe.hidden=16", "train.batch=1", "train.eval_windows=1", "train.warmup=1");
        Assert.Equal(0, train.ExitCode);
        File.Delete(data);
        IReadOnlyList<string> notes = Report.Write(new ReportOptions([folder["run"]], folder["report.html"]) { AblateWindows = 2 });
        Assert.Contains("run: it is not measured what is lost without its experts: There is no ", notes[0], StringComparison.Ordinal);
        Assert.Contains("Without each expert: not measured.", File.ReadAllText(folder["report.html"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-3")]
    [InlineData("many")]
    public void Windows_MustBeANumber_FromOne(string windows)
    {
        CommandLine report = CommandLine.Run(
            "report", "--run", viewed.Run, "--out", folder["report.html"], "--ablate-windows", windows);
        Assert.Equal(2, report.ExitCode);
        Assert.Contains("--ablate-windows", report.ErrorLines[0], StringComparison.Ordinal);
        Assert.False(File.Exists(folder["report.html"]));
    }

    [Fact]
    public async Task OnPaper_AllOfTheConfigurationIsOpen_AndOnATelephone_NoChartIsCut()
    {
        string other = folder["other"];
        CopyFolder(viewed.Run, other);
        string file = folder["report.html"];
        Report.Write(new ReportOptions([viewed.Run, other], file) { AblateWindows = 1, Device = new DeviceChoice(Threads: 1) });
        List<string> said = [];
        IPage page = await browser.OpenAsync(new Uri(file).AbsoluteUri, said, width: 390);
        Assert.True(await page.EvaluateAsync<bool>(
            "Array.from(document.querySelectorAll('.chart')).every(chart => chart.scrollWidth <= chart.clientWidth)"), "a chart is cut");
        ILocator value = page.Locator("details:not([open]) td.value").First;
        Assert.False(await value.IsVisibleAsync());
        await page.EmulateMediaAsync(new PageEmulateMediaOptions { Media = Media.Print });
        Assert.True(await value.IsVisibleAsync());
        Directory.CreateDirectory(Browser.Pictures);
        await page.PdfAsync(new PagePdfOptions { Path = Path.Combine(Browser.Pictures, "report-two-runs.pdf"), Format = "A4" });
        Assert.Empty(said);
        await page.CloseAsync();
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string place = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(place)!);
            File.Copy(file, place);
        }
    }

    private static string Signed(double value) => (value >= 0 ? "+" : "−") + Say.Short(Math.Abs(Math.Round(value, 6)));
}
