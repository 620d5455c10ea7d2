using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using TinyMoE.App;
using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Files;
using TinyMoE.Web;

namespace TinyMoE.Tests.Web;

/// <summary>A run of two steps, on characters, which a server answers for on a free port of this machine.</summary>
public sealed class ServedRun : IDisposable
{
    public const string Name = "tiny", Letters = "abcdefghijklmnopqrstuvwxyz";

    /// <summary>How long a request may take on a machine that has much else to do.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public ServedRun()
    {
        string data = Folder.Write("text.txt", string.Concat(Enumerable.Repeat($"the cat sat: {Letters}\n", 90)));
        CommandLine result = CommandLine.Run(
            "train", "--data", data, "--out", Run, "--steps", "2", "--threads", "1", "--set", "model.width=32",
            "model.layers=1", "model.context=64", "moe.hidden=16", "train.batch=2", "train.eval_windows=2", "train.warmup=1");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Template = Folder.Write("chat.jinja", "{% for m in messages %}{{ m.role[0] }} {{ m.content }}\n{% endfor %}a ");
        Serving = Open(new ServingRequest(Run));
        Server = WebServer.Start(Serving, new ServerOptions { Port = 0 });
        Client = ClientOf(Server);
    }

    internal TemporaryFolder Folder { get; } = new();

    public string Run => Folder["run"];

    public string Template { get; }

    public Serving Serving { get; }

    public WebServer Server { get; }

    public HttpClient Client { get; }

    /// <summary>A serving of its own, to be disposed of by whoever asks.</summary>
    public Serving Open(ServingRequest request) => Serving.Open(request with
    {
        Name = Name,
        Template = Template,
        Device = new DeviceChoice(Threads: 1),
    });

    public static HttpClient ClientOf(WebServer server) => new() { BaseAddress = server.Address, Timeout = Patience };

    public void Dispose()
    {
        Client.Dispose();
        Server.Dispose();
        Serving.Dispose();
        Folder.Dispose();
    }

    /// <summary>Posts JSON and gives the status and the object that came.</summary>
    internal static async Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(HttpClient client, string path, string json)
    {
        using HttpResponseMessage response = await client.PostAsync(path, Json(json), Stop);
        return (response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync(Stop)).RootElement);
    }

    internal Task<(HttpStatusCode Status, JsonElement Body)> PostAsync(string path, string json) => PostAsync(Client, path, json);

    internal async Task<JsonElement> AskAsync(string path, string json)
    {
        (HttpStatusCode status, JsonElement body) = await PostAsync(path, json);
        Assert.True(status == HttpStatusCode.OK, body.ToString());
        return body;
    }

    /// <summary>The events of a stream; the last must be [DONE].</summary>
    internal async Task<List<JsonElement>> StreamAsync(string path, string json)
    {
        using HttpResponseMessage response = await Client.PostAsync(path, Json(json), Stop);
        string text = await response.Content.ReadAsStringAsync(Stop);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        string[] events = text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.All(events, each => Assert.StartsWith("data: ", each, StringComparison.Ordinal));
        Assert.Equal("data: [DONE]", events[^1]);
        return [.. events.SkipLast(1).Select(each => JsonDocument.Parse(each["data: ".Length..]).RootElement)];
    }

    internal static StringContent Json(string json) => new(json, Encoding.UTF8, new MediaTypeHeaderValue("application/json", "utf-8"));

    /// <summary>Waits until no text is written or waits.</summary>
    internal static void WaitUntilFree(Serving serving)
    {
        Assert.True(
            SpinWait.SpinUntil(() => serving.Running == 0 && serving.Waiting == 0, Patience),
            $"{serving.Running} texts run and {serving.Waiting} wait");
    }

    internal static CancellationToken Stop => TestContext.Current.CancellationToken;
}

/// <summary>Tests that share one served run.</summary>
[CollectionDefinition(Name)]
public sealed class ServedCollection : ICollectionFixture<ServedRun>
{
    public const string Name = "served";
}
