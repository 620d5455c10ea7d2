using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using TinyMoE.Web;

namespace TinyMoE.Cli;

/// <summary>--port, --listen, --token and --allow-host: where a server of pages listens, and to whom.</summary>
internal sealed class ListenOptions(int standardPort)
{
    private const string TokenVariable = "TINYMOE_TOKEN";

    private readonly Option<int?> port = Options.Whole(
        "--port", 0, $"The port to listen at; 0: a free one, which is printed; {standardPort} if not said.");
    private readonly Option<string?> listen = Options.Text("--listen", "ADDRESS",
        "The address to listen at, as 0.0.0.0 for all; needs a token; this machine alone if not said.");
    private readonly Option<string?> token = Options.Text("--token", "TOKEN",
        $"What browsers must know, 8 characters at least; the printed address has it; or the variable {TokenVariable}.");
    private readonly Option<string[]> hosts = Options.Texts("--allow-host", "NAME",
        "Names that the server is called by, beside localhost and addresses.");

    public void AddTo(Command command)
    {
        command.Add(port);
        command.Add(listen);
        command.Add(token);
        command.Add(hosts);
        command.Validators.Add(Validate);
    }

    /// <summary>How to listen.</summary>
    public ServerOptions Read(ParseResult parsed, TextWriter error) => new()
    {
        Port = parsed.GetValue(port) ?? standardPort,
        Address = parsed.GetValue(listen) is { } address ? IPAddress.Parse(address) : IPAddress.Loopback,
        Token = parsed.GetValue(token) ?? (Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } said ? said : null),
        AllowedHosts = parsed.GetValue(hosts) ?? [],
        OnError = line => error.WriteLine($"tinymoe: {line}"),
    };

    private void Validate(CommandResult result)
    {
        if (result.GetResult(listen) is { Tokens: [{ } said] } && !IPAddress.TryParse(said.Value, out _))
            result.AddError($"--listen needs an address of this machine, as 0.0.0.0 or ::1, not '{said.Value}'");
    }
}
