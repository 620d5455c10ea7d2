using System.Buffers;
using System.Net.WebSockets;
using System.Text;
using System.Text.RegularExpressions;
using TinyMoE.Web.View.Components;

namespace TinyMoE.Web.View;

/// <summary>
/// Most of what a first page costs is getting the code ready that it runs through. So while a browser is opened, the server is
/// visited once by itself, as a browser would: the document, then the connection over which the page comes; then charts are drawn for
/// nobody. Where a browser is as quick all of it ends, since it takes time from it; and what goes wrong, the first page meets and says.
/// </summary>
internal static partial class WarmUp
{
    /// <summary>What the visitor calls itself.</summary>
    public const string Agent = "tinymoe-warm-up";

    /// <summary>Pixels of a chart that is drawn without a browser; any will do.</summary>
    private const int Width = 560;

    /// <summary>A browser that waits for the address comes within this time, and has the server alone.</summary>
    private static readonly TimeSpan Head = TimeSpan.FromMilliseconds(60), Patience = TimeSpan.FromSeconds(5);

    /// <summary>Visits the first page, and draws its charts, which no browser asks for there; until somebody else comes.</summary>
    public static Task RunAsync(Viewed viewed, Uri address, string? token, CancellationToken stop) => Task.Run(async () =>
    {
        try
        {
            await Task.Delay(Head, stop);
            await VisitAsync(address, token, stop);
            stop.ThrowIfCancellationRequested();
            await DrawAsync(viewed);
        }
        catch (Exception)
        {
            // Nobody asked for it.
        }
    }, CancellationToken.None);

    private static Task<string> DrawAsync(Viewed viewed) => StillServices.RenderAsync<RunCharts>(
        StillServices.New(viewed), new Dictionary<string, object?> { [nameof(RunCharts.Width)] = Width });

    /// <summary>Visits the first page until it stands; gives the bytes that it came in.</summary>
    public static async Task<int> VisitAsync(Uri address, string? token, CancellationToken stop)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(Patience);
        using HttpClient client = new() { BaseAddress = address };
        using ClientWebSocket socket = new();
        foreach ((string name, string? value) in ((string, string?)[])
            [("User-Agent", Agent), ("Authorization", token is null ? null : $"Bearer {token}")])
        {
            if (value is null)
                continue;
            client.DefaultRequestHeaders.Add(name, value);
            socket.Options.SetRequestHeader(name, value);
        }

        string document = await client.GetStringAsync("/", limit.Token);
        await socket.ConnectAsync(new Uri($"ws://{address.Authority}/_blazor"), limit.Token);
        await SendAsync(socket, Encoding.UTF8.GetBytes("{\"protocol\":\"blazorpack\",\"version\":1}\u001e"), limit.Token);
        await ReceiveAsync(socket, limit.Token);
        await SendAsync(socket, Call("0", "StartCircuit", address.ToString(), address.ToString(), "[]", ""), limit.Token);
        await ReceiveAsync(socket, limit.Token);
        IEnumerable<string> added = Marker().Matches(document).Select((match, i) =>
            $"{{\"type\":\"add\",\"ssrComponentId\":{i + 1},\"marker\":{match.Groups[1].Value}}}");
        string operations = $"{{\"batchId\":1,\"operations\":[{string.Join(',', added)}]}}";
        await SendAsync(socket, Call(null, "UpdateRootComponents", operations, ""), limit.Token);
        for (int bytes = 0; ;)
        {
            byte[] piece = await ReceiveAsync(socket, limit.Token);
            bytes += piece.Length;
            if (piece.AsSpan().IndexOf("experts"u8) >= 0) // of what is around every page
                return bytes;
        }
    }

    private static Task SendAsync(ClientWebSocket socket, byte[] message, CancellationToken stop) =>
        socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, stop);

    private static async Task<byte[]> ReceiveAsync(ClientWebSocket socket, CancellationToken stop)
    {
        byte[] buffer = new byte[1 << 14];
        using MemoryStream message = new();
        while (true)
        {
            WebSocketReceiveResult part = await socket.ReceiveAsync(buffer, stop);
            message.Write(buffer, 0, part.Count);
            if (part.MessageType == WebSocketMessageType.Close)
                throw new WebSocketException(WebSocketError.ConnectionClosedPrematurely);
            if (part.EndOfMessage)
                return message.ToArray();
        }
    }

    /// <summary>A call of the hub in MessagePack, behind its length: [1, headers, id, name, arguments, streams].</summary>
    private static byte[] Call(string? id, string name, params string[] arguments)
    {
        ArrayBufferWriter<byte> call = new();
        call.Write((ReadOnlySpan<byte>)[0x96, 1, 0x80]); // an array of 6: a call, no headers
        if (id is null)
            call.Write((ReadOnlySpan<byte>)[0xc0]);
        else
            Write(call, id);
        Write(call, name);
        call.Write((ReadOnlySpan<byte>)[(byte)(0x90 | arguments.Length)]);
        foreach (string argument in arguments)
            Write(call, argument);
        call.Write((ReadOnlySpan<byte>)[0x90]);
        return [.. Length(call.WrittenCount), .. call.WrittenSpan];
    }

    /// <summary>A text with its length in 16 bits before it.</summary>
    private static void Write(ArrayBufferWriter<byte> call, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        call.Write((ReadOnlySpan<byte>)[0xda, (byte)(utf8.Length >> 8), (byte)utf8.Length]);
        call.Write(utf8);
    }

    /// <summary>7 bits per byte, the low ones first; the eighth says that more follow.</summary>
    private static IEnumerable<byte> Length(int length)
    {
        for (; length > 127; length >>= 7)
            yield return (byte)((length & 127) | 128);
        yield return (byte)length;
    }

    [GeneratedRegex("<!--Blazor:(\\{\"type\":\"server\".*?\\})-->")]
    private static partial Regex Marker();
}
