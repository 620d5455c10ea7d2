using System.Net;
using System.Text.Json;
using TinyMoE.Web;

namespace TinyMoE.Tests.Web;

/// <summary>Whom the server answers: Host, Origin, token, address.</summary>
[Collection(ServedCollection.Name)]
public sealed class GuardTests(ServedRun served)
{
    [Theory]
    [InlineData("localhost", HttpStatusCode.OK)]
    [InlineData("LOCALHOST:9999", HttpStatusCode.OK)]
    [InlineData("127.0.0.1", HttpStatusCode.OK)]
    [InlineData("[::1]:8080", HttpStatusCode.OK)]
    [InlineData("evil.example", HttpStatusCode.Forbidden)]
    [InlineData("localhost.evil.example", HttpStatusCode.Forbidden)]
    [InlineData("192.168.0.7", HttpStatusCode.Forbidden)]
    public async Task Host_MustBeThisMachine(string host, HttpStatusCode expected)
    {
        using HttpResponseMessage response = await SendAsync(served.Server, request => request.Headers.Host = host);
        Assert.Equal(expected, response.StatusCode);
    }

    [Theory]
    [InlineData("same", HttpStatusCode.OK)]
    [InlineData("http://evil.example", HttpStatusCode.Forbidden)]
    [InlineData("null", HttpStatusCode.Forbidden)]
    [InlineData("http://localhost:1", HttpStatusCode.Forbidden)] // another port is another origin
    public async Task Origin_MustBeOurs(string origin, HttpStatusCode expected)
    {
        string said = origin == "same" ? served.Server.Address.GetLeftPart(UriPartial.Authority) : origin;
        using HttpResponseMessage response = await SendAsync(served.Server, request => request.Headers.Add("Origin", said));
        Assert.Equal(expected, response.StatusCode);
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task Origin_ThatIsAllowed_MayAsk_AndABrowserIsToldSo()
    {
        const string Page = "https://page.example";
        using WebServer server = WebServer.Start(served.Serving, new ServerOptions { Port = 0, AllowedOrigins = [Page] });
        using HttpResponseMessage asked = await SendAsync(server, request => request.Headers.Add("Origin", Page));
        Assert.Equal(HttpStatusCode.OK, asked.StatusCode);
        Assert.Equal([Page], asked.Headers.GetValues("Access-Control-Allow-Origin"));
        using HttpResponseMessage before = await SendAsync(server, request =>
        {
            request.Method = HttpMethod.Options;
            request.Headers.Add("Origin", Page);
        });
        Assert.Equal(HttpStatusCode.NoContent, before.StatusCode);
        using HttpResponseMessage other = await SendAsync(server, request => request.Headers.Add("Origin", Page + ".evil.example"));
        Assert.Equal(HttpStatusCode.Forbidden, other.StatusCode);
    }

    [Theory]
    [InlineData(null, HttpStatusCode.Unauthorized)]
    [InlineData("Bearer a-long-secret", HttpStatusCode.OK)]
    [InlineData("bearer  a-long-secret", HttpStatusCode.OK)]
    [InlineData("Bearer a-long-secreT", HttpStatusCode.Unauthorized)]
    [InlineData("Bearer", HttpStatusCode.Unauthorized)]
    [InlineData("Basic a-long-secret", HttpStatusCode.Unauthorized)]
    public async Task Token_IsAskedFor(string? authorization, HttpStatusCode expected)
    {
        using WebServer server = WebServer.Start(served.Serving, new ServerOptions { Port = 0, Token = "a-long-secret" });
        using HttpResponseMessage response = await SendAsync(server, request =>
        {
            if (authorization is not null)
                request.Headers.TryAddWithoutValidation("Authorization", authorization);
        });
        Assert.Equal(expected, response.StatusCode);
        if (expected == HttpStatusCode.Unauthorized)
            Assert.Equal("Bearer", response.Headers.WwwAuthenticate.ToString());
        using HttpResponseMessage health = await SendAsync(server, request => request.RequestUri = new Uri(server.Address, "/health"));
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
    }

    [Fact]
    public async Task OtherAddress_NeedsAToken_AndTakesItsNames()
    {
        ServerOptions all = new() { Port = 0, Address = IPAddress.Any };
        Assert.Contains("a token is needed", Assert.Throws<TinyMoEException>(() => WebServer.Start(served.Serving, all)).Message,
            StringComparison.Ordinal);
        ServerOptions named = all with { Token = "a-long-secret", AllowedHosts = ["models.example"] };
        using WebServer server = WebServer.Start(served.Serving, named);
        foreach ((string host, HttpStatusCode expected) in ((string, HttpStatusCode)[])
            [("models.example", HttpStatusCode.OK), ("10.1.2.3:8080", HttpStatusCode.OK), ("evil.example", HttpStatusCode.Forbidden)])
        {
            using HttpResponseMessage response = await SendAsync(server, request =>
            {
                request.RequestUri = new Uri($"http://127.0.0.1:{server.Address.Port}/v1/models");
                request.Headers.Host = host;
                request.Headers.Add("Authorization", "Bearer a-long-secret");
            });
            Assert.Equal(expected, response.StatusCode);
        }
    }

    [Theory]
    [InlineData("short")]
    [InlineData("with blanks in it")]
    public void Token_ThatIsNone_IsRefused(string token) => Assert.Throws<TinyMoEException>(
        () => WebServer.Start(served.Serving, new ServerOptions { Port = 0, Token = token }));

    [Theory]
    [InlineData("example.org")]
    [InlineData("https://example.org/")]
    [InlineData("ftp://example.org")]
    [InlineData("*")]
    public void Origin_ThatIsNone_IsRefused(string origin) => Assert.Throws<TinyMoEException>(
        () => WebServer.Start(served.Serving, new ServerOptions { Port = 0, AllowedOrigins = [origin] }));

    [Fact]
    public void Port_ThatIsTaken_IsOneLine()
    {
        TinyMoEException taken = Assert.Throws<TinyMoEException>(
            () => WebServer.Start(served.Serving, new ServerOptions { Port = served.Server.Address.Port }));
        Assert.Contains($"port {served.Server.Address.Port} of 127.0.0.1 is taken", taken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answers_AreNotKept_AndNotGuessedAt()
    {
        using HttpResponseMessage response = await SendAsync(served.Server, _ => { });
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
        Assert.Equal(["nosniff"], response.Headers.GetValues("X-Content-Type-Options"));
        Assert.False(response.Headers.Contains("Server"));
        JsonElement model = JsonDocument.Parse(await response.Content.ReadAsStringAsync(ServedRun.Stop)).RootElement.GetProperty("data")[0];
        Assert.Equal((ServedRun.Name, 64), (model.GetProperty("id").GetString(), model.GetProperty("context_length").GetInt32()));
    }

    private static async Task<HttpResponseMessage> SendAsync(WebServer server, Action<HttpRequestMessage> prepare)
    {
        using HttpClient client = ServedRun.ClientOf(server);
        using HttpRequestMessage request = new(HttpMethod.Get, new Uri(server.Address, "/v1/models"));
        prepare(request);
        return await client.SendAsync(request, ServedRun.Stop);
    }
}
