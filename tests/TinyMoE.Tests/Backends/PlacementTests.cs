using TinyMoE.Backends.Cpu;

namespace TinyMoE.Tests.Backends;

public sealed class PlacementTests
{
    [Fact]
    public void Settle_OnAProcessorOfAnotherThread_MovesAwayAndMayRunAnywhereAgain()
    {
        if (!OperatingSystem.IsLinux())
            return; // it does nothing there
        string allowed = AllowedProcessors();
        Placement placement = new(threads: 2);
        int moves = 0;
        for (int i = 0; i < 20; i++)
        {
            placement.Settle(0); // as if the caller of the loop ran here
            int before = Placement.CurrentProcessor();
            placement.Settle(1);
            moves += Placement.CurrentProcessor() == before ? 0 : 1;
            Assert.Equal(allowed, AllowedProcessors());
        }

        if (Environment.ProcessorCount > 1)
            Assert.NotEqual(0, moves);
    }

    [Fact]
    public void Settle_WithMoreThreadsThanProcessors_StaysAndMayRunAnywhere()
    {
        if (!OperatingSystem.IsLinux())
            return;
        string allowed = AllowedProcessors();
        int threads = 4 * Environment.ProcessorCount;
        Placement placement = new(threads);
        for (int slot = 0; slot < threads; slot++)
            placement.Settle(slot);
        Assert.Equal(allowed, AllowedProcessors());
    }

    private static string AllowedProcessors() =>
        File.ReadLines("/proc/thread-self/status").Single(line => line.StartsWith("Cpus_allowed_list", StringComparison.Ordinal));
}
