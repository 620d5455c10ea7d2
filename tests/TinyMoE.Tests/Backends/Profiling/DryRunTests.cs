using TinyMoE.Backends.Cpu;
using TinyMoE.Backends.Profiling;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Backends.Profiling;

public sealed class DryRunTests
{
    [Theory]
    [InlineData("plain", true)]
    [InlineData("noisy", true)]
    [InlineData("bfloat16", false)]
    [InlineData("switch-head", false)]
    [InlineData("latent", true)]
    [InlineData("latent", false)]
    public void Model_IsCountedAsOnTheCpu(string name, bool trains)
    {
        using ProfilingBackend cpu = new(new CpuBackend(1)), dry = ProfilingBackend.DryRun();
        long onCpu = Run(cpu, name, trains), onNone = Run(dry, name, trains);
        Assert.Equal(cpu.Kernels.Select(Counts).Order(), dry.Kernels.Select(Counts).Order());
        Assert.All(dry.Kernels, kernel => Assert.Equal(TimeSpan.Zero, kernel.Time));
        if (!trains)
            Assert.Equal(onCpu, onNone); // kernels of the CPU rent scratch in backward
        Assert.InRange(onNone, 1, onCpu);
        Assert.Equal(0, dry.Pool.LiveBytes);
    }

    [Fact]
    public void Memory_BeyondAnyMachine_IsCountedOnly()
    {
        using ProfilingBackend dry = ProfilingBackend.DryRun();
        const long Petabyte = 1L << 50;
        DeviceBuffer[] buffers = [.. Enumerable.Range(0, 3).Select(_ => dry.Pool.Rent(Petabyte))];
        Assert.Equal(3 * Petabyte, dry.Pool.LiveBytes);
        Assert.Equal(3, buffers.Select(buffer => buffer.Address).Distinct().Count(address => address != 0));
        foreach (DeviceBuffer buffer in buffers)
            dry.Pool.Return(buffer);
        Assert.Equal((0, 3 * Petabyte), (dry.Pool.LiveBytes, dry.Pool.PeakBytes));
    }

    [Fact]
    public void WhatIsRead_IsZero_AndRowsAreSharedOutEvenly()
    {
        using ProfilingBackend dry = ProfilingBackend.DryRun();
        using Tape tape = dry.NewTape();
        Assert.Equal([0f, 0f], tape.Constant(2, [1f, 2f]).ToArray());
        View<int> experts = tape.Ints(new int[6 * 2]), offsets = tape.Ints(new int[5]);
        dry.Assign(experts, 6, 4, 2, 12, offsets, experts, experts, experts, tape.Ints(new int[7]));
        int[] counts = new int[5];
        dry.ReadCounts(offsets, counts);
        Assert.Equal([0, 3, 6, 9, 12], counts);
    }

    private static (string, long, double, double) Counts(KernelProfile kernel) => (kernel.Name, kernel.Calls, kernel.Flops, kernel.Bytes);

    /// <summary>A pass over one batch; returns the most bytes that were rented.</summary>
    private static long Run(ProfilingBackend backend, string name, bool trains)
    {
        RunConfig config = TestModels.Named(name);
        int T = config.Model.Context, V = config.Model.Vocabulary;
        using Decoder model = new(backend, config);
        using (Tape tape = backend.NewTape(recording: trains))
        {
            Tensor logits = model.Forward(tape, tape.Ints(TestModels.Ids(2 * T, V)), 2, T, Pass.Inference).Logits;
            if (trains)
                tape.Backward(logits, new float[logits.Count]);
        }

        return backend.Pool.PeakBytes;
    }
}
