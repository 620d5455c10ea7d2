using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
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
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            Args = [], EnvironmentName = "Production", ContentRootPath = AppContext.BaseDirectory,
        });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(Configure);
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
            server.app.StartAsync().GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            server.Dispose();
            throw CannotListen(options, e);
        }

        string address = server.app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        server.Address = new Uri(address);
        return server;
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

    internal static TinyMoEException CannotListen(ServerOptions options, Exception e)
    {
        string place = $"port {options.Port} of {options.Address}";
        SocketException? socket = e as SocketException ?? e.InnerException as SocketException;
        return e.InnerException is AddressInUseException || socket?.SocketErrorCode == SocketError.AddressAlreadyInUse
            ? new TinyMoEException($"{place} is taken by another program; name another by --port, or 0 for a free one", e)
            : socket?.SocketErrorCode == SocketError.AccessDenied
                ? new TinyMoEException($"{place} is not for everybody to listen at; name another by --port, from 1024 on", e)
                : new TinyMoEException($"nobody can listen at {place}: {(socket ?? e).Message}", e);
    }

    private void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        KestrelServerLimits limits = kestrel.Limits;
        limits.MaxRequestBodySize = options.MostBytes;
        limits.MaxRequestHeadersTotalSize = 16 << 10;
        limits.MaxRequestLineSize = 4 << 10;
        limits.MaxRequestHeaderCount = 64;
        limits.MaxConcurrentConnections = MostConnections;
        limits.RequestHeadersTimeout = options.Patience;
        limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, options.Patience);
        limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 240, options.Patience);
        kestrel.Listen(options.Address, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
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
