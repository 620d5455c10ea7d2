using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using TinyMoE.Web.Api;

namespace TinyMoE.Web;

/// <summary>
/// Whom the server answers. Host: a page whose name an attacker lets point at this machine (DNS rebinding) says that name there. Origin:
/// pages of other places are refused unless they are allowed. Token: compared in a time that does not depend on what was sent.
/// </summary>
internal sealed class Guard(ServerOptions options)
{
    private readonly byte[]? token = options.Token is { } said ? Hash(said) : null;
    private readonly bool isLoopback = IPAddress.IsLoopback(options.Address);

    /// <summary>Refuses a request that is not to be answered; true: it was a question of a browser, and is answered.</summary>
    public bool Check(HttpContext context)
    {
        if (!IsOurs(context.Request.Host.Host))
        {
            throw new ApiError(StatusCodes.Status403Forbidden, "The Host of the request is none of this server's names.",
                code: "host_not_allowed");
        }

        string? origin = context.Request.Headers.Origin;
        bool isOther = origin is not null && origin != $"{context.Request.Scheme}://{context.Request.Host}";
        if (isOther && !options.AllowedOrigins.Contains(origin))
        {
            throw new ApiError(StatusCodes.Status403Forbidden, "Pages of this origin may not ask this server (--allow-origin).",
                code: "origin_not_allowed");
        }

        if (isOther)
            AllowOrigin(context, origin!);
        if (isOther && context.Request.Method == HttpMethods.Options)
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return true;
        }

        if (token is not null && context.Request.Path != "/health" && !Bears(context.Request.Headers.Authorization))
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
            throw new ApiError(StatusCodes.Status401Unauthorized, "The token is missing or wrong (Authorization: Bearer TOKEN).",
                code: "invalid_api_key");
        }

        return false;
    }

    private static void AllowOrigin(HttpContext context, string origin)
    {
        IHeaderDictionary headers = context.Response.Headers;
        headers.AccessControlAllowOrigin = origin;
        headers.Vary = HeaderNames.Origin;
        headers.AccessControlAllowMethods = "GET, POST";
        headers.AccessControlAllowHeaders = "authorization, content-type";
    }

    private bool IsOurs(string host)
    {
        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || options.AllowedHosts.Contains(host, StringComparer.OrdinalIgnoreCase))
        {
            return true;
        }

        return IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) && (!isLoopback || IPAddress.IsLoopback(address));
    }

    private bool Bears(string? authorization)
    {
        const string Scheme = "Bearer ";
        return authorization?.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) == true
            && CryptographicOperations.FixedTimeEquals(Hash(authorization[Scheme.Length..].Trim()), token);
    }

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
