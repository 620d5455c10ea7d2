using Microsoft.Playwright;

namespace TinyMoE.Tests.Web.View;

/// <summary>
/// A real browser without a window: chromium, as the system has it. Without one the tests that need it are skipped, unless
/// TINYMOE_REQUIRE_BROWSER is 1.
/// </summary>
public sealed class Browser : IAsyncLifetime
{
    private static readonly string[] Places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

    private IPlaywright? playwright;
    private IBrowser? browser;
    private string? missing;

    /// <summary>Where pictures of the pages are kept.</summary>
    public static string Pictures => Path.Combine(AppContext.BaseDirectory, "view-pictures");

    public async ValueTask InitializeAsync()
    {
        if (Array.Find(Places, File.Exists) is not { } place)
        {
            missing = "there is no chromium here (apt-get install chromium): the pages are not opened";
            return;
        }

        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = place, Args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (browser is not null)
            await browser.DisposeAsync();
        playwright?.Dispose();
    }

    /// <summary>
    /// A page of its own, given to <paramref name="before"/> before it goes anywhere; what its console says is kept in
    /// <paramref name="said"/>.
    /// </summary>
    internal async Task<IPage> OpenAsync(
        string address, List<string> said, int width = 1280, bool isDark = false, Action<IPage>? before = null)
    {
        if (missing is not null && Environment.GetEnvironmentVariable("TINYMOE_REQUIRE_BROWSER") == "1")
            Assert.Fail(missing);
        Assert.SkipWhen(missing is not null, missing ?? "");
        IPage page = await browser!.NewPageAsync(new BrowserNewPageOptions
        {
            ViewportSize = new ViewportSize { Width = width, Height = 900 }, ColorScheme = isDark ? ColorScheme.Dark : ColorScheme.Light,
        });
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                said.Add(message.Text);
        };
        page.PageError += (_, error) => said.Add(error);
        before?.Invoke(page);
        await page.GotoAsync(address);
        await page.Locator("h1").WaitForAsync();
        return page;
    }
}
