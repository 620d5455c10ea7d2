using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using TinyMoE.Web;

namespace TinyMoE.Cli;

/// <summary>
/// --port, --listen, --token, --allow-host and, where pages of others may ask, --allow-origin: where a server listens, and to whom.
/// </summary>
/// <param name="standardPort">The port if none is said.</param>
/// <param name="whoBears">Who must bear the token, and how, as in "What requests must bear, 8 characters at least".</param>
/// <param name="allowsOrigins">Whether there is --allow-origin.</param>
internal sealed class ListenOptions(int standardPort, string whoBears, bool allowsOrigins)
{
    private const string TokenVariable = "TINYMOE_TOKEN";

    private readonly Option<int?> port = Options.Whole(
        "--port", 0, $"The port to listen at; 0: a free one, which is printed; {standardPort} if not said.");
    private readonly Option<string?> listen = Options.Text("--listen", "ADDRESS",
        "The address to listen at, as 0.0.0.0 for all; needs a token; this machine alone if not said.");
    private readonly Option<string?> token = Options.Text("--token", "TOKEN",
        $"{whoBears}; or the variable {TokenVariable}.");
    private readonly Option<string[]> origins = Options.Texts("--allow-origin", "ORIGIN",
        "Web pages that may ask, as https://example.org; none of other origins if not said.");
    private readonly Option<string[]> hosts = Options.Texts("--allow-host", "NAME",
        "Names that the server is called by, beside localhost and addresses.");

    public void AddTo(Command command)
    {
        command.Add(port);
        command.Add(listen);
        command.Add(token);
        if (allowsOrigins)
            command.Add(origins);
        command.Add(hosts);
        command.Validators.Add(Validate);
    }

    /// <summary>How to listen.</summary>
    public ServerOptions Read(ParseResult parsed, TextWriter error) => new()
    {
        Port = parsed.GetValue(port) ?? standardPort,
        Address = parsed.GetValue(listen) is { } address ? IPAddress.Parse(address) : IPAddress.Loopback,
        Token = parsed.GetValue(token) ?? (Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } said ? said : null),
        AllowedOrigins = allowsOrigins ? parsed.GetValue(origins) ?? [] : [],
        AllowedHosts = parsed.GetValue(hosts) ?? [],
        OnError = line => error.WriteLine($"tinymoe: {line}"),
    };

    private void Validate(CommandResult result)
    {
        if (result.GetResult(listen) is { Tokens: [{ } said] } && !IPAddress.TryParse(said.Value, out _))
            result.AddError($"--listen needs an address of this machine, as 0.0.0.0 or ::1, not '{said.Value}'");
    }
}
