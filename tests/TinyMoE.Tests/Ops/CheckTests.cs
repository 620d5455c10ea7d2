using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class CheckTests
{
    private readonly Shape shape = (2, 6);

    [Fact]
    public void That_Fails_SaysOpAndReason() =>
        Assert.Equal("SomeOp: (2, 6) has 12 elements.", Assert.Throws<ArgumentException>(() => Require(13)).Message);

    [Fact]
    public void That_Holds_AllocatesNothing()
    {
        Require(12);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Require(12);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private void Require(int count) => Check.That("SomeOp", shape.Count == count, $"{shape} has {shape.Count} elements");
}
