using System.Runtime.InteropServices;

namespace TinyMoE.Cli;

/// <summary>
/// Ctrl-C, SIGTERM and SIGHUP as a token: the first asks to finish the step and save, the second ends the process at once. A signal that
/// the process was started to ignore, as SIGHUP by nohup, stays ignored.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    private const int SignalExit = 128; // and the signal's number: what a shell says of a program that a signal ended

    private static readonly (PosixSignal Signal, int Number)[] Signals =
    [
        (PosixSignal.SIGINT, 2), (PosixSignal.SIGQUIT, 3), (PosixSignal.SIGTERM, 15), (PosixSignal.SIGHUP, 1),
    ];

    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration[] registrations;

    public Interrupts() => registrations =
    [
        .. Signals.Select(each => PosixSignalRegistration.Create(each.Signal, context => context.Cancel = First(each.Number))),
    ];

    /// <summary>The token that the first signal cancels.</summary>
    public CancellationToken Token => source.Token;

    /// <summary>The exit code after the first signal: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP.</summary>
    public int ExitCode { get; private set; } = Cli.Interrupted;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in registrations)
            registration.Dispose();
        source.Dispose();
    }

    private bool First(int number)
    {
        lock (registrations)
        {
            if (source.IsCancellationRequested)
                return false;
            ExitCode = SignalExit + number;
            source.Cancel();
            return true;
        }
    }
}
