using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using TinyMoE.App;
using TinyMoE.Configuration;
using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Files;
using TinyMoE.Web.View.Components;
using TinyMoE.Web.View.Reports;

namespace TinyMoE.Tests.Web.View;

/// <summary>Reports of runs: what is in the file, what is not, and how a browser shows it from disk.</summary>
[Collection(ViewCollection.Name)]
public sealed class ReportTests(ViewedRun viewed, Browser browser) : IDisposable
{
    private const string Step = "{\"kind\":\"train\",\"step\":1,\"loss\":3.5,\"learning_rate\":0.001,\"tokens_per_second\":900}\n";

    private readonly TemporaryFolder folder = new();

    private string Out => folder["report.html"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Numbers_AreThoseOfTheMetrics()
    {
        CommandLine report = CommandLine.Run("report", "--run", viewed.Run, "--out", Out, "--title", "A small one");
        Assert.Equal((0, ""), (report.ExitCode, report.Error));
        Assert.Equal($"{Out} shows {viewed.Run}", report.OutputLines[0]);
        string html = File.ReadAllText(Out);
        Assert.StartsWith("<!DOCTYPE html>", html, StringComparison.Ordinal);
        Assert.Contains("<title>A small one</title>", html, StringComparison.Ordinal);

        JsonElement[] lines =
            [.. File.ReadLines(Path.Combine(viewed.Run, "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];
        double[] losses = [.. Of(lines, "eval").Select(line => line.GetProperty("loss").GetDouble())];
        Assert.Equal("6", Number(html, "step"));
        Assert.Equal(Say.Short(Of(lines, "train")[^1].GetProperty("loss").GetDouble()), Number(html, "loss, last step"));
        Assert.Equal(Say.Short(losses[^1]), Number(html, "validation loss, newest"));
        int lowest = Array.IndexOf(losses, losses.Min());
        Assert.Equal(
            $"{Say.Short(losses[lowest])} at step {Of(lines, "eval")[lowest].GetProperty("step").GetInt32()}",
            Number(html, "validation loss, lowest"));
        ModelInfo info = ModelInfo.Of(new ConfigChoice(), ModelFolder.Run(viewed.Run));
        Assert.Equal(Say.Whole(info.Size.TotalParameters), Number(html, "parameters"));

        Assert.All(ConfigKeys.All, key => Assert.Contains($"<code>{key.Path}</code>", html, StringComparison.Ordinal));
        JsonElement routing = Of(lines, "routing").Last(line => line.GetProperty("layer").GetInt32() == 1);
        string row = Words(Regex.Match(html, "<tr data-layer=\"1\">.*?</tr>", RegexOptions.Singleline).Value);
        float most = routing.GetProperty("load").EnumerateArray().Max(share => share.GetSingle());
        Assert.Contains(Say.Short(routing.GetProperty("entropy").GetDouble()), row, StringComparison.Ordinal);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{100 * most:0.0} % (expert "), row, StringComparison.Ordinal);
        AssertStandsAlone(html);
    }

    [Fact]
    public void SeveralRuns_AreOverOneAnother()
    {
        CommandLine report = CommandLine.Run(["report", "--run", .. viewed.Options.Runs, "--out", Out]);
        Assert.Equal(0, report.ExitCode);
        Assert.Contains($"note: {ViewedRun.Live} is reported without its model", report.ErrorLines[0], StringComparison.Ordinal);
        string html = File.ReadAllText(Out);
        Assert.Contains($"<title>{ViewedRun.Trained}, {ViewedRun.Live}</title>", html, StringComparison.Ordinal);
        string loss = Regex.Match(html, "<figure class=\"chart\" aria-label=\"Loss\".*?</figure>", RegexOptions.Singleline).Value;
        foreach (string name in (string[])[ViewedRun.Trained, ViewedRun.Live])
        {
            Assert.Contains($"data-summary=\"{name}\"", html, StringComparison.Ordinal);
            Assert.Contains($"{name}, training ", Words(loss), StringComparison.Ordinal);
        }

        Assert.Contains($"{ViewedRun.Trained}, validation ", Words(loss), StringComparison.Ordinal);
        AssertStandsAlone(html);
    }

    [Fact]
    public void NamesAndTexts_AreNoMarkup()
    {
        string run = folder["<script>alert(1)<img src=x onerror=alert(1)>&\"'"];
        folder.Write(Path.Combine(run, "metrics.jsonl"), Step
            + "{\"kind\":\"warning\",\"step\":1,\"layer\":0,\"text\":\"</td><script src=//evil.example>alert(2)</script>\"}\n"
            + "{\"kind\":\"routing\",\"step\":1,\"layer\":0,\"load\":[0.25,0.75],\"entropy\":null}\n");
        Report.Write(new ReportOptions([run], Out) { Title = "</title><script>alert(3)</script>\u001b" });
        string html = File.ReadAllText(Out);
        AssertStandsAlone(html);
        Assert.Contains("&lt;script&gt;alert(1)&lt;img", html, StringComparison.Ordinal);
        Assert.Contains("&lt;/td&gt;&lt;script src=//evil.example&gt;alert(2)", html, StringComparison.Ordinal);
        Assert.Contains("<title>&lt;/title&gt;&lt;script&gt;alert(3)&lt;/script&gt; </title>", html, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "There is no folder")]
    [InlineData("nothing", "which a training writes; give the folder of a run")]
    [InlineData("", "has no step yet")]
    [InlineData("not JSON at all\n", "has no line of a training that can be read")]
    [InlineData("{\"kind\":\"train\",\"step\":1", "has no step yet")]
    public void ARunWithoutMetrics_IsOneLine(string? metrics, string expected)
    {
        string run = folder["run"];
        if (metrics is not null)
            Directory.CreateDirectory(run);
        if (metrics is not (null or "nothing"))
            folder.Write("run/metrics.jsonl", metrics);
        CommandLine report = CommandLine.Run("report", "--run", run, "--out", Out);
        Assert.Equal((1, 1), (report.ExitCode, report.ErrorLines.Length));
        Assert.Contains(expected, report.ErrorLines[0], StringComparison.Ordinal);
        Assert.False(File.Exists(Out));
    }

    [Fact]
    public void BrokenLines_AreTold_AndLeftOut()
    {
        folder.Write("run/metrics.jsonl", Step + "broken\n" + Step);
        IReadOnlyList<string> notes = Report.Write(new ReportOptions([folder["run"]], Out));
        Assert.Equal("run: 1 lines of metrics.jsonl cannot be read and are left out", notes[0]);
        Assert.Contains("1 lines of metrics.jsonl cannot be read", File.ReadAllText(Out), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("metrics.jsonl")]
    [InlineData("report.html")]
    [InlineData("last/config.json")]
    public void AReport_AmongTheFilesOfItsRun_IsRefused(string name)
    {
        string file = Path.Combine(viewed.Run, name);
        byte[]? before = File.Exists(file) ? File.ReadAllBytes(file) : null;
        CommandLine report = CommandLine.Run("report", "--run", viewed.Run, "--out", file);
        Assert.Equal(1, report.ExitCode);
        Assert.Contains("lies among the files of the run", report.ErrorLines[0], StringComparison.Ordinal);
        Assert.Equal(before, File.Exists(file) ? File.ReadAllBytes(file) : null);
    }

    [Theory]
    [InlineData("--run", "--out", "report.html")]
    [InlineData("--out", "--run", "runs/a")]
    public void Command_NeedsARunAndAFile(string expected, params string[] arguments)
    {
        CommandLine report = CommandLine.Run(["report", .. arguments]);
        Assert.Equal(2, report.ExitCode);
        Assert.Contains(expected, report.ErrorLines[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1280, false)]
    [InlineData(1280, true)]
    [InlineData(390, true)]
    public async Task File_OpensFromDisk_WithoutErrors_AndIsForAll(int width, bool isDark)
    {
        List<string> said = [];
        Report.Write(new ReportOptions(viewed.Options.Runs, Out));
        IPage page = await browser.OpenAsync(new Uri(Out).AbsoluteUri, said, width, isDark);
        Directory.CreateDirectory(Browser.Pictures);
        string picture = Path.Combine(Browser.Pictures, $"report-{width}-{(isDark ? "dark" : "light")}");
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = picture + ".png", FullPage = true });
        byte[] printed = await page.PdfAsync(new PagePdfOptions { Path = picture + ".pdf", Format = "A4" });
        Assert.True(printed.AsSpan().StartsWith("%PDF"u8));
        Assert.Equal(2, await page.Locator(".heat-map").CountAsync()); // of two layers
        ILocator curves = page.Locator(".chart").First.Locator(".rz-line-series"); // two of training, one of validation
        Assert.Equal(3, await curves.CountAsync());
        LocatorBoundingBoxResult? curve = await curves.First.BoundingBoxAsync();
        // Drawn, and not fallen together; another test may have made the run beside it longer, which takes the room.
        Assert.True(curve is { Width: > 10, Height: > 20 }, $"{curve?.Width} x {curve?.Height}");
        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"), "wider than the window");
        Assert.Empty(said);
        AxeResult axe = await page.RunAxe();
        Assert.Empty(axe.Violations.Where(each => each.Impact is "serious" or "critical")
            .Select(each => $"{each.Id}: {string.Join("; ", each.Nodes.Select(node => node.Html))}"));
        await page.CloseAsync();
    }

    /// <summary>No script, nothing that is fetched, and no word that would be one of these if a text were taken for markup.</summary>
    private static void AssertStandsAlone(string html)
    {
        Assert.DoesNotMatch("https?:", html);
        Assert.DoesNotMatch("(?i)<\\s*/?(script|link|base|iframe|object|embed|img|image|use|audio|video|form)\\b", html);
        string withoutValues = Regex.Replace(html, "=\"[^\"]*\"", "=");
        Assert.DoesNotMatch("(?i)<[a-z][^>]*\\s(src|srcset|href|xlink:href|action|data|poster|on[a-z]+)\\s*=", withoutValues);
        Assert.DoesNotMatch("(?i)url\\((?!#)|@import", html);
    }

    private static JsonElement[] Of(JsonElement[] lines, string kind) =>
        [.. lines.Where(line => line.GetProperty("kind").GetString() == kind)];

    /// <summary>What stands in the row of a number, of one run.</summary>
    private static string Number(string html, string name)
    {
        Match row = Regex.Match(html, $"<tr data-number=\"{Regex.Escape(name)}\">.*?<td[^>]*>(.*?)</td>", RegexOptions.Singleline);
        Assert.True(row.Success, name);
        return WebUtility.HtmlDecode(row.Groups[1].Value);
    }

    /// <summary>The text without its tags.</summary>
    private static string Words(string html) => WebUtility.HtmlDecode(Regex.Replace(Regex.Replace(html, "<[^>]*>", " "), "\\s+", " "));
}
