using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using TinyMoE.App;
using TinyMoE.Web;

namespace TinyMoE.Tests.Web;

/// <summary>What a server meets: broken requests, clients that go, too many at once, its own end.</summary>
[Collection(ServedCollection.Name)]
public sealed class RobustnessTests(ServedRun served)
{
    private const string Path = "/v1/completions", Endless = """{"prompt":"the","max_tokens":65536,"stream":true}""";

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"prompt\":\"a\",\"prompt\":\"b\"}")]
    [InlineData("{\"prompt\":\"a\"}{}")]
    [InlineData("{\"a\\u0000\":1}")]
    public async Task Json_ThatIsNone_IsRefused(string body)
    {
        (HttpStatusCode status, JsonElement answer) = await served.PostAsync(Path, body);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("invalid_request_error", answer.GetProperty("error").GetProperty("type").GetString());
    }

    [Fact]
    public async Task Json_ThatIsDeep_IsRefused()
    {
        (HttpStatusCode status, _) = await served.PostAsync(Path, $"{{\"prompt\":{new string('[', 5000)}{new string(']', 5000)}}}");
        Assert.Equal(HttpStatusCode.BadRequest, status);
    }

    [Fact]
    public async Task Bytes_ThatAreNoUtf8_AreRefused()
    {
        using ByteArrayContent content = new([.. "{\"prompt\":\""u8, 0xC3, 0x28, .. "\"}"u8]);
        content.Headers.ContentType = new("application/json");
        using HttpResponseMessage response = await served.Client.PostAsync(Path, content, ServedRun.Stop);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task Body_ThatIsHuge_IsRefused_AndAnotherTypeToo()
    {
        using HttpRequestMessage huge = new(HttpMethod.Post, Path) { Content = ServedRun.Json(new string('[', 5 << 20)) };
        huge.Headers.ExpectContinue = true; // asks first: who does not may find the other side gone while it sends
        using HttpResponseMessage refused = await served.Client.SendAsync(huge, ServedRun.Stop);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, refused.StatusCode);
        Assert.Contains("\"error\"", await refused.Content.ReadAsStringAsync(ServedRun.Stop), StringComparison.Ordinal);
        using StringContent form = new("prompt=a");
        using HttpResponseMessage response = await served.Client.PostAsync(Path, form, ServedRun.Stop);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }

    [Theory]
    [InlineData("GET", "/v1/completions", 405)]
    [InlineData("DELETE", "/v1/models/tiny", 405)]
    [InlineData("GET", "/v1/models/no/such", 404)]
    [InlineData("GET", "/v1/models/..%2f..%2fetc%2fpasswd", 404)]
    [InlineData("GET", "/..%2f..%2fetc/passwd", 404)]
    [InlineData("POST", "/v1/embeddings", 404)]
    [InlineData("GET", "/", 404)]
    public async Task Route_ThatIsNone_IsAnErrorOfTheApi(string method, string path, int expected)
    {
        using HttpRequestMessage request = new(new HttpMethod(method), path);
        using HttpResponseMessage response = await served.Client.SendAsync(request, ServedRun.Stop);
        Assert.Equal(expected, (int)response.StatusCode);
        string body = await response.Content.ReadAsStringAsync(ServedRun.Stop);
        Assert.True(JsonDocument.Parse(body).RootElement.TryGetProperty("error", out _), body);
    }

    [Fact]
    public async Task Body_ThatComesSlowly_IsGivenUp()
    {
        using WebServer server = WebServer.Start(served.Serving, new ServerOptions { Port = 0, Patience = TimeSpan.FromSeconds(1.2) });
        using TcpClient client = await ConnectAsync(server);
        await WriteAsync(client, Post(new string(' ', 900))[..^800]);
        Assert.StartsWith("HTTP/1.1 408", await ReadToEndAsync(client), StringComparison.Ordinal);
        using TcpClient silent = await ConnectAsync(server);
        await WriteAsync(silent, "GET /health HTTP/1.1\r\nHost: loc");
        string answer = await ReadToEndAsync(silent);
        Assert.True(answer.Length == 0 || answer.StartsWith("HTTP/1.1 408", StringComparison.Ordinal), answer);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Client_WhoIsGone_FreesTheSlot(bool streams)
    {
        string request = streams ? Endless : Endless.Replace("true", "false", StringComparison.Ordinal);
        for (int i = 0; i < 3; i++)
        {
            using TcpClient client = await ConnectAsync(served.Server);
            await WriteAsync(client, Post(request));
            Assert.True(SpinWait.SpinUntil(() => served.Serving.Running > 0, ServedRun.Patience));
            if (streams)
                _ = await client.GetStream().ReadAsync(new byte[100], ServedRun.Stop);
        }

        ServedRun.WaitUntilFree(served.Serving);
    }

    [Fact]
    public async Task TooMany_AreToldToComeBack()
    {
        using Serving serving = served.Open(new ServingRequest(served.Run) { Slots = 1, Queue = 1 });
        using WebServer server = WebServer.Start(serving, new ServerOptions { Port = 0 });
        using HttpClient client = ServedRun.ClientOf(server);
        using TcpClient first = await ConnectAsync(server), second = await ConnectAsync(server);
        await WriteAsync(first, Post(Endless));
        await WriteAsync(second, Post(Endless));
        Assert.True(SpinWait.SpinUntil(() => serving.Running == 1 && serving.Waiting == 1, ServedRun.Patience));

        using HttpResponseMessage busy = await client.PostAsync(Path, ServedRun.Json("""{"prompt":"a"}"""), ServedRun.Stop);
        Assert.Equal(HttpStatusCode.TooManyRequests, busy.StatusCode);
        Assert.Equal("1", busy.Headers.RetryAfter?.ToString());
        (HttpStatusCode status, JsonElement body) = await ServedRun.PostAsync(client, Path, """{"prompt":"a","n":3}""");
        Assert.Equal((HttpStatusCode.BadRequest, "too_many_texts"), (status, body.GetProperty("error").GetProperty("code").GetString()));
        second.Client.Close(0); // the one who waits goes, then the one who is served
        first.Client.Close(0);
        ServedRun.WaitUntilFree(serving);
        Assert.Equal(HttpStatusCode.OK, (await ServedRun.PostAsync(client, Path, """{"prompt":"a","max_tokens":2}""")).Status);
    }

    [Fact]
    public async Task Stop_CutsWhatGoesOn_WithALastEvent()
    {
        using Serving serving = served.Open(new ServingRequest(served.Run));
        using WebServer server = WebServer.Start(serving, new ServerOptions { Port = 0, Grace = TimeSpan.FromMilliseconds(300) });
        using HttpClient client = ServedRun.ClientOf(server);
        using HttpRequestMessage request = new(HttpMethod.Post, Path) { Content = ServedRun.Json(Endless) };
        using HttpResponseMessage running = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ServedRun.Stop);
        Task<string> text = running.Content.ReadAsStringAsync(ServedRun.Stop);
        Task<(HttpStatusCode Status, JsonElement Body)> whole = ServedRun.PostAsync(
            client, Path, Endless.Replace("true", "false", StringComparison.Ordinal));
        Assert.True(SpinWait.SpinUntil(() => serving.Running == 2, ServedRun.Patience));

        server.Stop();
        string[] events = (await text).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        Assert.Contains("server_stopping", events[^2], StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await whole).Status);
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync("/health", ServedRun.Stop));
    }

    [Fact]
    public async Task Metrics_CountWhatWas()
    {
        await served.AskAsync(Path, """{"prompt":"the","max_tokens":5}""");
        string text = await served.Client.GetStringAsync("/metrics", ServedRun.Stop);
        foreach (string expected in (string[])
            [
                "tinymoe_requests_total{path=\"/v1/completions\",status=\"200\"} ", "tinymoe_texts_total{end=\"length\"} ",
                "tinymoe_slots 16\n", "tinymoe_prompt_tokens_total ", "tinymoe_completion_tokens_total ", "tinymoe_texts_running ",
                "tinymoe_texts_waiting ", "tinymoe_time_to_first_token_seconds_bucket{le=\"0.01\"} ",
                "tinymoe_time_per_token_seconds_bucket{le=\"+Inf\"} ", "# TYPE tinymoe_time_to_first_token_seconds histogram\n",
            ])
        {
            Assert.Contains(expected, text, StringComparison.Ordinal);
        }

        string[] names = [.. text.Split('\n').Where(line => line.StartsWith("# TYPE ", StringComparison.Ordinal))];
        Assert.Equal(names.Distinct().Count(), names.Length);
    }

    private static string Post(string json) =>
        $"POST {Path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {json.Length}\r\n\r\n{json}";

    private static async Task<TcpClient> ConnectAsync(WebServer server)
    {
        TcpClient client = new();
        await client.ConnectAsync(IPAddress.Loopback, server.Address.Port, ServedRun.Stop);
        return client;
    }

    private static async Task WriteAsync(TcpClient client, string text) =>
        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(text), ServedRun.Stop);

    private static async Task<string> ReadToEndAsync(TcpClient client)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ServedRun.Stop);
        limit.CancelAfter(ServedRun.Patience);
        using StreamReader reader = new(client.GetStream());
        return await reader.ReadToEndAsync(limit.Token);
    }
}
