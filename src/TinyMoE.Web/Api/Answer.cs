using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace TinyMoE.Web.Api;

/// <summary>Writes answers: one object of JSON, or a stream of events (text/event-stream) of one object each.</summary>
internal static class Answer
{
    private static readonly JsonWriterOptions AsItIs = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>An answer that is one object.</summary>
    public static async Task JsonAsync(HttpContext context, int status, Action<Utf8JsonWriter> write)
    {
        ArrayBufferWriter<byte> body = new();
        Write(body, write);
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=utf-8";
        context.Response.ContentLength = body.WrittenCount;
        await context.Response.BodyWriter.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }

    /// <summary>Begins a stream of events.</summary>
    public static void BeginEvents(HttpContext context) => context.Response.ContentType = "text/event-stream; charset=utf-8";

    /// <summary>Writes an event, which leaves at once.</summary>
    public static async Task EventAsync(HttpContext context, Action<Utf8JsonWriter> write)
    {
        ArrayBufferWriter<byte> body = new();
        body.Write("data: "u8);
        Write(body, write);
        body.Write("\n\n"u8);
        await context.Response.BodyWriter.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }

    /// <summary>The last event, which is no JSON.</summary>
    public static async Task EndEventsAsync(HttpContext context) =>
        await context.Response.BodyWriter.WriteAsync(Encoding.UTF8.GetBytes("data: [DONE]\n\n"), context.RequestAborted);

    private static void Write(ArrayBufferWriter<byte> body, Action<Utf8JsonWriter> write)
    {
        using Utf8JsonWriter json = new(body, AsItIs);
        write(json);
    }
}
