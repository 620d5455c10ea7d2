using System.Runtime.InteropServices;

namespace TinyMoE.Cli;

/// <summary>Ctrl-C and SIGTERM as a token: the first asks to finish the step and save, the second ends the process at once.</summary>
internal sealed class Interrupts : IDisposable
{
    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration terminate;

    public Interrupts()
    {
        Console.CancelKeyPress += OnCancelKey;
        terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => context.Cancel = First());
    }

    /// <summary>The token that the first signal cancels.</summary>
    public CancellationToken Token => source.Token;

    public void Dispose()
    {
        Console.CancelKeyPress -= OnCancelKey;
        terminate.Dispose();
        source.Dispose();
    }

    private void OnCancelKey(object? sender, ConsoleCancelEventArgs e) => e.Cancel = First();

    private bool First()
    {
        lock (source)
        {
            bool first = !source.IsCancellationRequested;
            source.Cancel();
            return first;
        }
    }
}
