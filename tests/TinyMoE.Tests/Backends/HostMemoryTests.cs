using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Train;
using TinyMoE.Train;

namespace TinyMoE.Tests.Backends;

public sealed class HostMemoryTests
{
    [Fact]
    public void Rent_OfMoreThanThereIs_SaysHowMuchForWhat_AndWhatIsLive()
    {
        using CpuBackend backend = new(1);
        DeviceBuffer live = backend.Pool.Rent(3 << 20, "weights");
        string message = OneLine.Of(() => backend.Pool.Rent(1L << 60, "layer 3, experts"));
        foreach (string words in (string[])["1073741824 GiB", "layer 3, experts", "3 MiB are live in 1 buffers", "weights 3 MiB"])
            Assert.Contains(words, message, StringComparison.Ordinal);
        backend.Pool.Return(live);
    }

    [Fact]
    public void Train_OfAModelBeyondTheMachine_IsRefusedWithBothNumbers_AndLeavesNothing()
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TestModels.Tiny.For(corpus);
        long needed = ModelSize.Of(config).TrainingBytes;
        string message = OneLine.Of(() => Trainer(folder["a"], needed - 1));
        Assert.Contains(Size.Of(needed), message, StringComparison.Ordinal);
        Assert.Contains(Size.Of(needed - 1), message, StringComparison.Ordinal);
        Assert.Contains("train.batch", message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["a"]));
        Assert.Contains("at least", OneLine.Of(() => Trainer(folder["a"], 1000)), StringComparison.Ordinal);
        Trainer(folder["a"], needed);
        Assert.True(Directory.Exists(folder["a"]));

        using CpuBackend small = new(1) { LargestMemory = 1000 };
        Assert.Contains("1000 bytes", OneLine.Of(() => Checkpoints.Model(folder["a/last"], small)), StringComparison.Ordinal);

        void Trainer(string run, long memory)
        {
            using CpuBackend backend = new(1) { LargestMemory = memory };
            using Trainer trainer = new(backend, config, corpus, new RunFolder(run), new RecordingListener());
            trainer.Run(stopAt: 1);
        }
    }
}
