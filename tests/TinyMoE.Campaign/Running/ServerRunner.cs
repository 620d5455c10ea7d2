using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace TinyMoE.Campaign;

/// <summary>Runs the command by a <see cref="Server"/>, in a few milliseconds and yet in a process of its own that can be killed.</summary>
internal sealed class ServerRunner : IRunner
{
    private readonly Process server;
    private readonly string folder;
    private int started;

    /// <summary>Starts a server whose runs leave what they say in <paramref name="folder"/>.</summary>
    public ServerRunner(string shim, string folder)
    {
        this.folder = folder;
        Directory.CreateDirectory(folder);
        ProcessStartInfo start = ProgramFiles.Dotnet(typeof(Server).Assembly.Location, Program.Serve, shim, folder);
        (start.RedirectStandardInput, start.RedirectStandardOutput) = (true, true);
        start.Environment["LD_PRELOAD"] = shim;
        start.Environment["DOTNET_TieredCompilation"] = "0";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0"; // with it, a fork shares the memory of compiled code
        server = Process.Start(start)!;
    }

    /// <inheritdoc/>
    public IRunning Start(ShimOrder order, params string[] arguments)
    {
        if (started == 0 && server.StandardOutput.ReadLine() != "ready")
            throw new TinyMoEException("The server of the campaign does not start.");
        string result = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"result{started++}.json"));
        return new Run(this, Ask(new Request(arguments, order.Text, result, 0, false)).Pid, result);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        server.StandardInput.Close();
        server.WaitForExit();
        server.Dispose();
    }

    private Answer Ask(Request request)
    {
        server.StandardInput.WriteLine(JsonSerializer.Serialize(request));
        return JsonSerializer.Deserialize<Answer>(server.StandardOutput.ReadLine()
            ?? throw new TinyMoEException("The server of the campaign has ended."))!;
    }

    private sealed class Run(ServerRunner runner, int pid, string result) : IRunning
    {
        private Outcome? outcome;

        public bool HasEnded => outcome is not null || (outcome = Look(block: false)) is not null;

        public Outcome Wait() => outcome ??= Look(block: true)!;

        private Outcome? Look(bool block)
        {
            Answer answer = runner.Ask(new Request(null, "", "", pid, block));
            if (answer.ExitCode < 0)
                return null;
            if (!File.Exists(result))
                return new Outcome(answer.ExitCode, "", "");
            Outcome said = JsonSerializer.Deserialize<Outcome>(File.ReadAllText(result))!;
            File.Delete(result);
            return said with { ExitCode = answer.ExitCode };
        }
    }
}
