using System.Net;
using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Files;
using TinyMoE.Web;
using TinyMoE.Web.View;

namespace TinyMoE.Tests.Web.View;

/// <summary>The server of the pages, without a browser: whom it answers, with what, and what the command says.</summary>
[Collection(ViewCollection.Name)]
public sealed class ViewServerTests(ViewedRun viewed)
{
    [Theory]
    [InlineData("/", "text/html")]
    [InlineData("/model", "text/html")]
    [InlineData("/text", "text/html")]
    [InlineData("/experts", "text/html")]
    [InlineData("/talk", "text/html")]
    [InlineData("/_framework/blazor.web.js", "text/javascript")]
    [InlineData("/radzen.js", "text/javascript")]
    [InlineData("/view.js", "text/javascript")]
    [InlineData("/view.css", "text/css")]
    [InlineData("/experts.css", "text/css")]
    [InlineData("/favicon.svg", "image/svg+xml")]
    public async Task WhatPagesNeed_IsThere_UnderAStrictPolicy(string path, string type)
    {
        using HttpResponseMessage response = await SendAsync(viewed.Server, path);
        Assert.Equal((HttpStatusCode.OK, type), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        string policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.Contains("default-src 'none'; script-src 'self';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe-eval", policy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/_framework/../view.css.map")]
    [InlineData("/metrics.jsonl")]
    [InlineData("/..%2f..%2fetc%2fpasswd")]
    public async Task NoPath_ReachesAFile(string path)
    {
        using HttpResponseMessage response = await SendAsync(viewed.Server, path);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Theory]
    [InlineData("Host", "evil.example")]
    [InlineData("Origin", "http://evil.example")]
    public async Task OthersPages_AreRefused(string header, string value)
    {
        using HttpResponseMessage response = await SendAsync(viewed.Server, "/_blazor/negotiate", header, value);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
    }

    [Fact]
    public async Task AToken_IsGivenOnce_AndBorneAsACookie()
    {
        const string Token = "a-long-secret";
        using ViewServer server = ViewServer.Start(viewed.Options, new ServerOptions { Port = 0, Token = Token });
        using HttpResponseMessage without = await SendAsync(server, "/");
        Assert.Equal(HttpStatusCode.Unauthorized, without.StatusCode);
        using HttpResponseMessage given = await SendAsync(server, server.Page.PathAndQuery);
        Assert.Equal((HttpStatusCode.Redirect, "/"), (given.StatusCode, given.Headers.Location?.ToString()));
        string cookie = Assert.Single(given.Headers.GetValues("Set-Cookie"));
        Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
        using HttpResponseMessage borne = await SendAsync(server, "/", "Cookie", cookie.Split(';')[0]);
        Assert.Equal(HttpStatusCode.OK, borne.StatusCode);
        using HttpResponseMessage wrong = await SendAsync(server, "/", "Cookie", cookie.Split(';')[0] + "x");
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("a-long-secret")]
    public async Task ItsOwnFirstVisit_GetsThePage_AsABrowserDoes(string? token)
    {
        List<string> errors = [];
        using ViewServer server = ViewServer.Start(viewed.Options, new ServerOptions { Port = 0, Token = token, OnError = errors.Add });
        int bytes = await WarmUp.VisitAsync(server.Address, token, TestContext.Current.CancellationToken);
        Assert.InRange(bytes, 2000, 1_000_000); // what is around the page, and the page
        Assert.Empty(errors);
    }

    [Fact]
    public void Command_SaysWhereAndWhat_AndStopsWithItsInput()
    {
        CommandLine view = CommandLine.Run(new StringReader(""), ["view", "--run", viewed.Run, "--port", "0"]);
        Assert.Equal((0, ""), (view.ExitCode, view.Error));
        Assert.Matches($"^{viewed.Run} at http://127\\.0\\.0\\.1:\\d+/?; Ctrl-C stops$", view.OutputLines[0]);
    }

    [Theory]
    [InlineData("There is no folder nowhere", "--run", "nowhere")]
    [InlineData("There is no folder nowhere", "--model", "nowhere")]
    [InlineData("a token is needed", "--listen", "0.0.0.0")]
    [InlineData("--listen needs an address", "--listen", "here")]
    public void Command_RefusesInOneLine(string expected, params string[] arguments)
    {
        using TemporaryFolder folder = new();
        string[] run = arguments[0] == "--listen" ? ["--run", viewed.Run] : [];
        CommandLine view = CommandLine.Run(new StringReader(""), ["view", .. arguments, .. run, "--port", "0"]);
        Assert.NotEqual(0, view.ExitCode);
        Assert.Contains(expected, view.ErrorLines[0], StringComparison.Ordinal);
    }

    private static async Task<HttpResponseMessage> SendAsync(ViewServer server, string path, string? header = null, string? value = null)
    {
        using HttpClientHandler handler = new() { AllowAutoRedirect = false, UseCookies = false };
        using HttpClient client = new(handler) { BaseAddress = server.Address, Timeout = ServedRun.Patience };
        using HttpRequestMessage request = new(HttpMethod.Get, path);
        if (header == "Host")
            request.Headers.Host = value;
        else if (header is not null)
            request.Headers.Add(header, value);
        return await client.SendAsync(request, HttpCompletionOption.ResponseContentRead);
    }
}
