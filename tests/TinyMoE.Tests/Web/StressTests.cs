using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using TinyMoE.App;
using TinyMoE.Web;

namespace TinyMoE.Tests.Web;

/// <summary>
/// Many clients at once, some of whom go in the middle, send what is no JSON, or far too much. Whoever asks properly gets the text of his
/// seed all the same. TINYMOE_STRESS_REQUESTS=10000 makes more of them and tells the memory.
/// </summary>
[Collection(ServedCollection.Name)]
public sealed class StressTests(ServedRun served, ITestOutputHelper output)
{
    private const int Clients = 32, Kinds = 12;
    private const string Path = "/v1/completions";

    private static readonly int Requests = int.Parse(
        Environment.GetEnvironmentVariable("TINYMOE_STRESS_REQUESTS") ?? "300", CultureInfo.InvariantCulture);

    private readonly ConcurrentDictionary<string, int> answers = new();
    private readonly ConcurrentQueue<string> errors = new();

    [Fact]
    public async Task Requests_OfAllKinds_GetTheirAnswers_AndLeaveNothingBehind()
    {
        using Serving serving = served.Open(new ServingRequest(served.Run) { Slots = 8, Queue = 2 * Clients });
        using WebServer server = WebServer.Start(serving, new ServerOptions
        {
            Port = 0, Patience = TimeSpan.FromSeconds(30), OnError = errors.Enqueue,
        });
        using HttpClient client = ServedRun.ClientOf(server);
        string[] expected = new string[4];
        for (int i = 0; i < expected.Length; i++)
            expected[i] = await TextAsync(client, i);

        Tell("at the beginning");
        for (int part = 0; part < 5; part++)
        {
            int first = part * Requests / 5, count = (part + 1) * Requests / 5 - first;
            await Parallel.ForEachAsync(Enumerable.Range(first, count),
                new ParallelOptions { MaxDegreeOfParallelism = Clients, CancellationToken = ServedRun.Stop },
                async (i, _) => await AskAsync(server, client, new Random(i), expected));
            ServedRun.WaitUntilFree(serving);
            Tell($"after {first + count} requests");
        }

        foreach ((string kind, int count) in answers.OrderBy(answer => answer.Key, StringComparer.Ordinal))
            output.WriteLine($"{count,6} {kind}");
        Assert.Empty(errors);
        Assert.Equal(Requests, answers.Values.Sum());
        Assert.DoesNotContain(answers.Keys, kind => kind.Contains(" 500", StringComparison.Ordinal));
        string metrics = await client.GetStringAsync("/metrics", ServedRun.Stop);
        Assert.Contains("tinymoe_texts_running 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains("tinymoe_texts_waiting 0\n", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("status=\"500\"", metrics, StringComparison.Ordinal);
    }

    private async Task AskAsync(WebServer server, HttpClient client, Random random, string[] expected)
    {
        int kind = random.Next(Kinds), which = random.Next(expected.Length);
        string told = kind switch
        {
            0 or 1 or 2 => "completion " + await WholeAsync(client, which, expected[which]),
            3 or 4 => "stream " + await StreamAsync(client, which, expected[which]),
            5 or 6 or 7 => "gone " + await LeaveAsync(server, random),
            8 => "malformed " + await PostAsync(client, Path, Garbage(random)),
            9 => "huge " + await PostAsync(client, Path, new string('[', 5 << 20)),
            10 => "chat " + await PostAsync(client, "/v1/chat/completions",
                """{"messages":[{"role":"user","content":"hi"}],"max_tokens":5,"n":2}"""),
            _ => "broken headers " + await RawAsync(server, random),
        };
        answers.AddOrUpdate(told, 1, (_, count) => count + 1);
    }

    private static async Task<string> WholeAsync(HttpClient client, int which, string expected)
    {
        Assert.Equal(expected, await TextAsync(client, which));
        return "200";
    }

    private static async Task<string> TextAsync(HttpClient client, int which)
    {
        using HttpResponseMessage response = await client.PostAsync(Path, Request(which, ""), ServedRun.Stop);
        string body = await response.Content.ReadAsStringAsync(ServedRun.Stop);
        Assert.True(response.StatusCode == HttpStatusCode.OK, body);
        return TextOf(body);
    }

    private static async Task<string> StreamAsync(HttpClient client, int which, string expected)
    {
        using HttpResponseMessage response = await client.PostAsync(Path, Request(which, ",\"stream\":true"), ServedRun.Stop);
        string[] events = (await response.Content.ReadAsStringAsync(ServedRun.Stop)).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        Assert.Equal(expected, string.Concat(events.SkipLast(1).Select(each => TextOf(each["data: ".Length..]))));
        return "200";
    }

    /// <summary>Asks for a long text, reads a bit of it or nothing, and goes: politely, or with a reset.</summary>
    private static async Task<string> LeaveAsync(WebServer server, Random random)
    {
        string json = $$"""{"prompt":"the","max_tokens":5000,"stream":{{(random.Next(2) == 0 ? "true" : "false")}}}""";
        using TcpClient client = await ConnectAsync(server);
        string head = $"POST {Path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {json.Length}\r\n\r\n";
        string request = head + json;
        byte[] sent = Encoding.UTF8.GetBytes(request[..random.Next(head.Length, request.Length + 1)]);
        await client.GetStream().WriteAsync(sent, ServedRun.Stop);
        await Task.Delay(random.Next(30), ServedRun.Stop);
        if (random.Next(2) == 0)
            client.Client.Close(0);
        return "-";
    }

    private static async Task<string> RawAsync(WebServer server, Random random)
    {
        using TcpClient client = await ConnectAsync(server);
        byte[] bytes = new byte[random.Next(1, 300)];
        random.NextBytes(bytes);
        if (random.Next(2) == 0)
            bytes = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"u8.ToArray();
        try
        {
            await using NetworkStream stream = client.GetStream();
            await stream.WriteAsync(bytes, ServedRun.Stop);
            client.Client.Shutdown(SocketShutdown.Send);
            using StreamReader reader = new(stream);
            string answer = await reader.ReadToEndAsync(ServedRun.Stop);
            return answer.Length > 12 ? answer[9..12] : "closed";
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            return "closed";
        }
    }

    private static async Task<string> PostAsync(HttpClient client, string path, string body)
    {
        try
        {
            using HttpResponseMessage response = await client.PostAsync(path, ServedRun.Json(body), ServedRun.Stop);
            return ((int)response.StatusCode).ToString(CultureInfo.InvariantCulture);
        }
        catch (HttpRequestException)
        {
            return "closed"; // a body that is too large may find the other side gone
        }
    }

    /// <summary>A request with something changed, cut or put in.</summary>
    private static string Garbage(Random random)
    {
        string json = """{"prompt":"the","max_tokens":3,"seed":1,"stop":["x"],"logprobs":1,"n":2}""";
        int place = random.Next(json.Length);
        return random.Next(3) switch
        {
            0 => json[..place],
            1 => json.Insert(place, ((char)random.Next(0x20, 0x300)).ToString()),
            _ => json.Remove(place, 1),
        };
    }

    private static StringContent Request(int which, string more)
    {
        string prompt = ServedRun.Letters[..(which + 3)];
        return ServedRun.Json($$"""{"prompt":"{{prompt}}","max_tokens":{{10 * (which + 1)}},"seed":{{which}}{{more}}}""");
    }

    private static string TextOf(string json) =>
        JsonDocument.Parse(json).RootElement.GetProperty("choices")[0].GetProperty("text").GetString()!;

    private static async Task<TcpClient> ConnectAsync(WebServer server)
    {
        TcpClient client = new();
        await client.ConnectAsync(IPAddress.Loopback, server.Address.Port, ServedRun.Stop);
        return client;
    }

    private void Tell(string when)
    {
        using Process process = Process.GetCurrentProcess();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{when}: {process.WorkingSet64 >> 20} MiB, {GC.GetTotalMemory(forceFullCollection: true) >> 20} MiB managed, "
            + $"{process.Threads.Count} threads, {process.HandleCount} handles"));
    }
}
