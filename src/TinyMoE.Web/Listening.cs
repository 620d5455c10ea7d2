using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace TinyMoE.Web;

/// <summary>How a server of ours begins: it reads no files and no environment, and says in a line why it cannot listen.</summary>
internal static class Listening
{
    /// <summary>A builder that has nothing but Kestrel at the place of the options; <paramref name="limit"/> adds limits.</summary>
    public static WebApplicationBuilder NewBuilder(ServerOptions options, Action<KestrelServerLimits>? limit = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            Args = [], EnvironmentName = "Production", ContentRootPath = AppContext.BaseDirectory,
        });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MostBytes;
            kestrel.Limits.MaxRequestHeadersTotalSize = 16 << 10;
            kestrel.Limits.RequestHeadersTimeout = options.Patience;
            limit?.Invoke(kestrel.Limits);
            kestrel.Listen(options.Address, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        return builder;
    }

    /// <summary>Begins to listen; gives the address, as http://127.0.0.1:8080.</summary>
    /// <exception cref="TinyMoEException">Nobody can listen there.</exception>
    public static Uri Start(WebApplication app, ServerOptions options)
    {
        try
        {
            app.StartAsync().GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw CannotListen(options, e);
        }

        return new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
    }

    private static TinyMoEException CannotListen(ServerOptions options, Exception e)
    {
        string place = $"port {options.Port} of {options.Address}";
        SocketException? socket = e as SocketException ?? e.InnerException as SocketException;
        return e.InnerException is AddressInUseException || socket?.SocketErrorCode == SocketError.AddressAlreadyInUse
            ? new TinyMoEException($"{place} is taken by another program; name another by --port, or 0 for a free one", e)
            : socket?.SocketErrorCode == SocketError.AccessDenied
                ? new TinyMoEException($"{place} is not for everybody to listen at; name another by --port, from 1024 on", e)
                : new TinyMoEException($"nobody can listen at {place}: {(socket ?? e).Message}", e);
    }
}
