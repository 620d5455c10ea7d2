using System.Runtime.InteropServices;
using System.Text.Json;

namespace TinyMoE.Campaign;

/// <summary>A word to the server: start a run, or ask how one ended.</summary>
/// <param name="Arguments">The words of the command to start; null: this is a question.</param>
/// <param name="Order">What the shim does.</param>
/// <param name="Result">The file that a run writes its <see cref="Outcome"/> to.</param>
/// <param name="Pid">The run that is asked for.</param>
/// <param name="Block">Whether to answer when it has ended, not before.</param>
internal sealed record Request(string[]? Arguments, string Order, string Result, int Pid, bool Block);

/// <summary>The answer.</summary>
/// <param name="Pid">The run.</param>
/// <param name="ExitCode">How it ended; -1: it goes on.</param>
internal sealed record Answer(int Pid, int ExitCode);

/// <summary>
/// Runs the command again and again without starting .NET anew: a process that has all of the command compiled forks, and the child, a
/// process of its own with nothing open, runs it and ends, by itself or killed. The server has one thread that runs code, so the child
/// misses none.
/// </summary>
internal static unsafe partial class Server
{
    /// <summary>A run that takes longer hangs.</summary>
    public const int LongestRunSeconds = 30;

    private const int NoHang = 1, Interrupted = 4, Broken = 99;

    /// <summary>Serves until its input ends. Before the first request it does <paramref name="warmUp"/>, which compiles the code.</summary>
    public static int Serve(string shim, Action warmUp)
    {
        nint found = NativeLibrary.GetExport(NativeLibrary.Load(shim), "shim_arm");
        delegate* unmanaged<byte*, void> arm = (delegate* unmanaged<byte*, void>)found;
        using StreamReader input = new(Console.OpenStandardInput());
        using StreamWriter output = new(Console.OpenStandardOutput()) { AutoFlush = true };
        warmUp();
        _ = Said(new Outcome(0, "", ""));
        _ = JsonSerializer.Serialize(new Answer(0, 0));
        output.WriteLine("ready");
        while (input.ReadLine() is { } line)
        {
            Request request = JsonSerializer.Deserialize<Request>(line)!;
            output.WriteLine(JsonSerializer.Serialize(request.Arguments is null ? Ask(request) : Start(request, arm)));
        }

        return 0;
    }

    private static Answer Start(Request request, delegate* unmanaged<byte*, void> arm)
    {
        byte[] order = [.. System.Text.Encoding.UTF8.GetBytes(request.Order), 0];
        int pid = Fork();
        if (pid != 0)
            return new Answer(pid, -1);

        // The child. It must never return into the server.
        try
        {
            _ = Alarm(LongestRunSeconds);
            StringWriter output = new(), error = new();
            fixed (byte* text = order)
                arm(text);
            int code = Cli.Cli.Run(request.Arguments!, output, error);
            fixed (byte* nothing = "\0"u8)
                arm(nothing);
            File.WriteAllText(request.Result, Said(new Outcome(code, output.ToString(), error.ToString())));
            ExitNow(code);
        }
        catch (Exception e)
        {
            File.WriteAllText(request.Result, Said(new Outcome(Broken, "", e.ToString())));
            ExitNow(Broken);
        }

        throw new InvalidOperationException("The child goes on after its end.");
    }

    private static string Said(Outcome outcome) => JsonSerializer.Serialize(outcome);

    private static Answer Ask(Request request)
    {
        int status, ended;
        do
        {
            ended = WaitPid(request.Pid, &status, request.Block ? 0 : NoHang);
        }
        while (ended < 0 && Marshal.GetLastPInvokeError() == Interrupted);
        if (ended == 0)
            return new Answer(request.Pid, -1);
        int signal = status & 0x7F;
        return new Answer(request.Pid, signal != 0 ? 128 + signal : (status >> 8) & 0xFF);
    }

    [LibraryImport("libc", EntryPoint = "fork")]
    private static partial int Fork();

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    private static partial int WaitPid(int pid, int* status, int options);

    [LibraryImport("libc", EntryPoint = "alarm")]
    private static partial uint Alarm(uint seconds);

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void ExitNow(int code);
}
