using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;
using TinyMoE.Tests.Moe;

namespace TinyMoE.Tests.Layers;

public sealed class TokenBatchTests
{
    [Fact]
    public void LabelRange_IsReadFromTheDeviceOnce()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape(recording: false);
        Ints labels = tape.Ints([3, 1, 4, 1]);
        TokenBatch tokens = new(tape.Ints([0, 0, 0, 0]), 2, 2) { Labels = labels };

        Assert.Equal((1, 4), tokens.LabelRange(tape));
        backend.Write<int>([9, 9, 9, 9], labels);
        Assert.Equal((1, 4), tokens.LabelRange(tape));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(-1)]
    public void Forward_OfALabelThatTheTaskRouterDoesNotKnow_NamesIt(int label)
    {
        RunConfig config = RouterModels.Of("task");
        using CpuBackend backend = new(1);
        using Decoder model = new(backend, config);
        using Tape tape = backend.NewTape(recording: false);
        TokenBatch tokens = new(tape.Ints([1, 2, 3]), 1, 3) { Labels = tape.Ints([0, label, 2]) };

        string error = Assert.Throws<TinyMoEException>(() => model.Forward(tape, tokens, Pass.Inference)).Message;
        Assert.StartsWith(
            $"moe.router=task has learned the labels 0 to 2, and a token has the label {label}", error, StringComparison.Ordinal);
    }
}
