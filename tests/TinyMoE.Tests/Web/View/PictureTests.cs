using Microsoft.Playwright;
using TinyMoE.App;
using TinyMoE.Web;
using TinyMoE.Web.View;

namespace TinyMoE.Tests.Web.View;

/// <summary>
/// The picture that README shows. A run with TINYMOE_WRITE_PICTURES=FOLDER takes it anew of the run in that folder, as <c>tinymoe train</c>
/// leaves one: the page of a text, with what it costs to do without an expert.
/// </summary>
[Collection(ViewCollection.Name)]
public sealed class PictureTests(Browser browser)
{
    private const int MostBytes = 200 << 10;
    private const string Shown = "Returns the number of elements that are contained in the collection.";

    private static string Place => Path.Combine(FloorsTests.RepositoryRoot(), "docs", "images", "view.png");

    [Fact]
    public async Task Picture_IsThere_AndSmall()
    {
        if (Environment.GetEnvironmentVariable("TINYMOE_WRITE_PICTURES") is { Length: > 0 } run)
            await TakeAsync(run);
        byte[] picture = await File.ReadAllBytesAsync(Place, TestContext.Current.CancellationToken);
        Assert.InRange(picture.Length, 1, MostBytes);
        Assert.True(picture.AsSpan(1).StartsWith("PNG"u8));
        string readme = await File.ReadAllTextAsync(
            Path.Combine(FloorsTests.RepositoryRoot(), "README.md"), TestContext.Current.CancellationToken);
        Assert.Contains("(docs/images/view.png)", readme, StringComparison.Ordinal);
    }

    private async Task TakeAsync(string run)
    {
        List<string> said = [];
        using ViewServer server = ViewServer.Start(
            new ViewOptions { Runs = [run], Device = new DeviceChoice(Threads: 2) }, new ServerOptions { Port = 0 });
        IPage page = await browser.OpenAsync(new Uri(server.Address, "text").ToString(), said);
        await page.SetViewportSizeAsync(1280, 720);
        await page.Locator("#looked").FillAsync(Shown);
        await page.GetByRole(AriaRole.Button, new() { Name = "Show" }).ClickAsync();
        await page.Locator($"[data-token='{Shown.Length - 1}']").WaitForAsync();
        await page.Locator("[data-token='12']").HoverAsync();
        await Assertions.Expect(page.Locator("aside code").First).ToHaveTextAsync($"{Shown[12]}");
        await page.Locator("[data-expert]").First.ClickAsync();
        await page.Locator("[data-changed]").WaitForAsync();
        await page.WaitForTimeoutAsync(500);
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Place });
        Assert.Empty(said);
    }
}
