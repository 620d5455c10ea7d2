using System.Net;

namespace TinyMoE.Web;

/// <summary>How a server listens, and whom it answers.</summary>
public sealed record ServerOptions
{
    /// <summary>The address to listen at; anything but loopback needs a <see cref="Token"/>.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0: a free one.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>What requests must bear (Authorization: Bearer); null: nothing.</summary>
    public string? Token { get; init; }

    /// <summary>Pages of other origins that may ask, as https://example.org.</summary>
    public IReadOnlyList<string> AllowedOrigins { get; init; } = [];

    /// <summary>Names that the server is called by in Host, beside localhost and addresses.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>Bytes of a request's body at most.</summary>
    public int MostBytes { get; init; } = 4 << 20;

    /// <summary>How long running answers may go on when the server stops; then they are cut.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a body may come slowly, and headers at all, before the request is given up.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Told in one line of errors that no request is to blame for; null: they are not told.</summary>
    public Action<string>? OnError { get; init; }

    /// <summary>Refuses what is not safe or means nothing.</summary>
    /// <exception cref="TinyMoEException">A value cannot be used.</exception>
    internal void Validate()
    {
        if (Port is < 0 or > IPEndPoint.MaxPort)
            throw new TinyMoEException($"The port is {Port}; it must be from 0 to {IPEndPoint.MaxPort}.");
        if (Token is { } token && (token.Length < 8 || token.Any(c => c is <= ' ' or > '~')))
            throw new TinyMoEException("The token must have 8 or more characters, letters, digits and signs of ASCII without blanks.");
        if (!IPAddress.IsLoopback(Address) && Token is null)
        {
            throw new TinyMoEException(
                $"Whoever reaches {Address} could use the model: a token is needed to listen there (--token TOKEN or TINYMOE_TOKEN).");
        }

        foreach (string origin in AllowedOrigins)
        {
            if (!Uri.TryCreate(origin, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https")
                || origin != uri.GetLeftPart(UriPartial.Authority))
            {
                throw new TinyMoEException($"'{origin}' is no origin; one is as https://example.org or http://localhost:3000.");
            }
        }
    }
}
