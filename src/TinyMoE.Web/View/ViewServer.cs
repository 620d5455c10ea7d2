using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Radzen;
using TinyMoE.Web.Api;
using TinyMoE.Web.View.Components;

namespace TinyMoE.Web.View;

/// <summary>
/// The pages of <c>tinymoe view</c>. What they need is in the assembly and comes from this server alone; no request names a file. A browser
/// gives its token once, in the address, and bears it as a cookie from then on.
/// </summary>
public sealed class ViewServer : IDisposable
{
    private const string TokenCookie = "tinymoe-view", TokenName = "token";

    /// <summary>No script but ours, nothing of others; styles of a single element are what charts place their parts with.</summary>
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        + "connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

    private static readonly Dictionary<string, (string Name, string Type)> Files = new()
    {
        ["/_framework/blazor.web.js"] = ("blazor.web.js", "text/javascript; charset=utf-8"),
        ["/radzen.js"] = ("radzen.js", "text/javascript; charset=utf-8"),
        ["/view.js"] = ("view.js", "text/javascript; charset=utf-8"),
        ["/view.css"] = ("view.css", "text/css; charset=utf-8"),
        ["/favicon.svg"] = ("favicon.svg", "image/svg+xml"),
    };

    private readonly ServerOptions options;
    private readonly Guard guard;
    private readonly Viewed viewed;
    private readonly WebApplication app;
    private readonly CancellationTokenSource asked = new(); // somebody has asked for something, or it ends
    private Task warmUp = Task.CompletedTask;

    private ViewServer(ViewOptions shown, ServerOptions options)
    {
        this.options = options;
        guard = new Guard(options);
        viewed = new Viewed(shown);
        WebApplicationBuilder builder = Listening.NewBuilder(options);
        builder.Logging.AddProvider(new ErrorLog(line => options.OnError?.Invoke(line))).SetMinimumLevel(LogLevel.Error);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IDataProtectionProvider>(new EphemeralDataProtectionProvider()); // no keys on disk
        builder.Services.AddRazorComponents()
            .AddInteractiveServerComponents(circuit => circuit.DisconnectedCircuitMaxRetained = 0) // pages do not come back, see view.js
            .AddHubOptions(hub => hub.MaximumReceiveMessageSize = options.MostBytes); // a text that is typed comes as one message
        builder.Services.AddSingleton(viewed).AddSingleton(shown).AddScoped<TooltipService>();
        app = builder.Build();
        app.Use(HandleAsync);
        app.UseRouting();
        app.UseAntiforgery();
        foreach ((string path, (string name, string type)) in Files)
            app.MapGet(path, context => SendAsync(context, name, type));
        app.MapGet("/experts.css", context =>
        {
            context.Response.ContentType = "text/css; charset=utf-8";
            return context.Response.WriteAsync(ExpertColors.Style, context.RequestAborted);
        });
        app.MapRazorComponents<Shell>().AddInteractiveServerRenderMode(mode => mode.ContentSecurityFrameAncestorsPolicy = null);
    }

    /// <summary>Where it listens, as http://127.0.0.1:8090.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>What a browser opens: the address, with the token where one is needed.</summary>
    public Uri Page => options.Token is { } token ? new Uri(Address, $"/?{TokenName}={Uri.EscapeDataString(token)}") : Address;

    /// <summary>Begins to listen.</summary>
    /// <exception cref="TinyMoEException">An option cannot be used, or nobody can listen there.</exception>
    public static ViewServer Start(ViewOptions shown, ServerOptions options)
    {
        options.Validate();
        ViewServer server = new(shown, options);
        try
        {
            server.Address = Listening.Start(server.app, options);
            server.warmUp = WarmUp.RunAsync(server.viewed, server.Address, options.Token, server.asked.Token);
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    /// <summary>Stops listening; pages that are open say that they lost it.</summary>
    public void Dispose()
    {
        asked.Cancel();
        warmUp.GetAwaiter().GetResult();
        using (CancellationTokenSource limit = new(TimeSpan.FromSeconds(1)))
            app.StopAsync(limit.Token).GetAwaiter().GetResult();
        ((IDisposable)app).Dispose();
        viewed.Dispose();
        asked.Dispose();
    }

    private async Task HandleAsync(HttpContext context, RequestDelegate next)
    {
        if (!asked.IsCancellationRequested && context.Request.Headers.UserAgent != WarmUp.Agent)
            asked.Cancel();
        IHeaderDictionary headers = context.Response.Headers;
        headers.CacheControl = "no-store";
        headers.XContentTypeOptions = "nosniff";
        headers.ContentSecurityPolicy = Policy;
        headers["Referrer-Policy"] = "no-referrer";
        try
        {
            if (TakesToken(context))
                return;
            if (context.Request.Cookies[TokenCookie] is { } cookie && options.Token is not null)
                context.Request.Headers.Authorization = $"Bearer {cookie}";
            if (!guard.Check(context))
                await next(context);
        }
        catch (ApiError e)
        {
            context.Response.StatusCode = e.Status;
            context.Response.ContentType = "text/plain; charset=utf-8";
            await context.Response.WriteAsync(e.Message);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Abort();
        }
    }

    /// <summary>A token in the address becomes a cookie, so that the history has none; whether it is right is asked then.</summary>
    private bool TakesToken(HttpContext context)
    {
        if (options.Token is null || context.Request.Query[TokenName] is not [{ Length: > 0 and < 1024 } token])
            return false;
        context.Response.Cookies.Append(
            TokenCookie, token, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict, IsEssential = true });
        context.Response.Redirect("/");
        return true;
    }

    private static async Task SendAsync(HttpContext context, string name, string type)
    {
        await using Stream file = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!;
        context.Response.ContentType = type;
        context.Response.ContentLength = file.Length;
        await file.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    /// <summary>Errors that no page tells, in one line each.</summary>
    private sealed class ErrorLog(Action<string> tell) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                tell(Text.OneLine(exception is null ? formatter(state, null) : $"{exception.GetType().Name}: {exception.Message}"));
        }

        public void Dispose()
        {
        }
    }
}
