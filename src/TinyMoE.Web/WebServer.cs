using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using TinyMoE.App;
using TinyMoE.Web.Api;

namespace TinyMoE.Web;

/// <summary>
/// Answers over HTTP as OpenAI's API does, for one model: /v1/models, /v1/completions, /v1/chat/completions, and /health and /metrics. It
/// reads no files and no environment, and what it is asked for never names a file.
/// </summary>
public sealed class WebServer : IDisposable
{
    private const int MostConnections = 1024, GoneStatus = 499;

    private readonly Serving serving;
    private readonly ServerOptions options;
    private readonly Guard guard;
    private readonly Metrics metrics;
    private readonly WebApplication app;
    private int answering;
    private volatile bool isStopping;

    private WebServer(Serving serving, ServerOptions options)
    {
        (this.serving, this.options) = (serving, options);
        guard = new Guard(options);
        metrics = new Metrics(serving);
        WebApplicationBuilder builder = Listening.NewBuilder(options, Limit);
        builder.Services.AddRoutingCore();
        app = builder.Build();
        app.Use(HandleAsync);
        app.UseRouting();
        Map();
    }

    /// <summary>Where it listens, as http://127.0.0.1:8080.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>Begins to listen. The serving stays the caller's, who closes it after the server.</summary>
    /// <exception cref="TinyMoEException">An option cannot be used, or nobody can listen there.</exception>
    public static WebServer Start(Serving serving, ServerOptions options)
    {
        options.Validate();
        WebServer server = new(serving, options);
        try
        {
            server.Address = Listening.Start(server.app, options);
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Takes no more requests, lets answers that are being written end for the grace of the options, cuts those that go on with an event
    /// that says so, and stops listening.
    /// </summary>
    public void Stop()
    {
        isStopping = true;
        WaitForAnswers(options.Grace);
        serving.CancelAll();
        WaitForAnswers(TimeSpan.FromSeconds(1));
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(1));
        app.StopAsync(limit.Token).GetAwaiter().GetResult();
    }

    /// <summary>Stops listening at once.</summary>
    public void Dispose() => ((IDisposable)app).Dispose();

    private void Limit(KestrelServerLimits limits)
    {
        limits.MaxRequestLineSize = 4 << 10;
        limits.MaxRequestHeaderCount = 64;
        limits.MaxConcurrentConnections = MostConnections;
        limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, options.Patience);
        limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 240, options.Patience);
    }

    private void Map()
    {
        ModelsApi models = new(serving);
        app.MapGet("/v1/models", models.ListAsync);
        app.MapGet("/v1/models/{**id}", models.FindAsync);
        app.MapPost("/v1/completions", new CompletionsApi(serving).AnswerAsync);
        app.MapPost("/v1/chat/completions", new ChatApi(serving).AnswerAsync);
        app.MapGet("/health", context => Answer.JsonAsync(context, StatusCodes.Status200OK, json =>
        {
            json.WriteStartObject();
            json.WriteString("status", "ok");
            json.WriteEndObject();
        }));
        app.MapGet("/metrics", async context =>
        {
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            await context.Response.BodyWriter.WriteAsync(Encoding.UTF8.GetBytes(metrics.ToString()), context.RequestAborted);
        });
    }

    /// <summary>Around every request: whether it is answered, what its errors look like, and that it is counted.</summary>
    private async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        Interlocked.Increment(ref answering);
        int? status = null;
        try
        {
            if (guard.Check(context))
                return;
            if (isStopping)
                throw ApiError.Stopping();
            await next(context);
            if (!context.Response.HasStarted && context.GetEndpoint() is null)
                throw NothingHere(context);
            if (!context.Response.HasStarted && context.Response.StatusCode == StatusCodes.Status405MethodNotAllowed)
                throw WrongMethod(context);
        }
        catch (Exception e) when (IsGone(context, e))
        {
            status = GoneStatus;
        }
        catch (Exception e)
        {
            await TellAsync(context, e);
        }
        finally
        {
            Interlocked.Decrement(ref answering);
            metrics.CountRequest(RouteOf(context), status ?? context.Response.StatusCode);
        }
    }

    /// <summary>Whether whoever asked is not there any more, which is found while reading, writing, or waiting.</summary>
    private static bool IsGone(HttpContext context, Exception e) => context.RequestAborted.IsCancellationRequested
        || e is ConnectionResetException or ConnectionAbortedException or OperationCanceledException;

    private async Task TellAsync(HttpContext context, Exception e)
    {
        ApiError error = ApiError.Of(e);
        if (error.Status == StatusCodes.Status500InternalServerError)
            options.OnError?.Invoke($"{e.GetType().Name}: {Text.OneLine(e.Message)}");
        if (context.Response.HasStarted)
        {
            context.Abort(); // what was said cannot be taken back, only left unfinished
            return;
        }

        if (error.Status == StatusCodes.Status429TooManyRequests)
            context.Response.Headers.RetryAfter = "1";
        try
        {
            await Answer.JsonAsync(context, error.Status, error.Write);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Abort();
        }
    }

    private static ApiError NothingHere(HttpContext context) => new(StatusCodes.Status404NotFound,
        $"There is nothing at {context.Request.Method} {Text.OneLine(context.Request.Path)}.", code: "unknown_url");

    private static ApiError WrongMethod(HttpContext context) => new(StatusCodes.Status405MethodNotAllowed,
        $"{Text.OneLine(context.Request.Path)} does not take {Text.OneLine(context.Request.Method)}.", code: "method_not_allowed");

    /// <summary>The route as it was mapped: what is asked for could be endlessly much.</summary>
    private static string RouteOf(HttpContext context) =>
        context.GetEndpoint() is RouteEndpoint { RoutePattern.RawText: { } route }
            ? route.Replace("**", "", StringComparison.Ordinal) : "other";

    private void WaitForAnswers(TimeSpan most) => SpinWait.SpinUntil(() => Volatile.Read(ref answering) == 0, most);
}
