using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Tensors;

public sealed class TapeTests : IDisposable
{
    private readonly CpuBackend backend = new(1);

    public void Dispose() => backend.Dispose();

    [Fact]
    public void Backward_ComposedGraph_IsTheChainRule()
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(3, [1, 2, 3]), w = tape.Variable(3, [4, 5, 6]);
        tape.Backward(x.Multiply(w).Square().Sum()); // Σ (x·w)²
        Assert.Equal([2 * 1 * 16f, 2 * 2 * 25f, 2 * 3 * 36f], backend.Read(x.Grad));
        Assert.Equal([2 * 1 * 4f, 2 * 4 * 5f, 2 * 9 * 6f], backend.Read(w.Grad));
    }

    [Fact]
    public void Backward_TensorUsedTwice_Adds()
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(2, [3, -5]);
        Tensor y = x.Scale(2);
        tape.Backward(y.Multiply(y).Add(y).Add(x).Sum()); // 4x² + 3x
        Assert.Equal([27f, -37f], backend.Read(x.Grad));
    }

    [Fact]
    public void Backward_BranchThatNobodyUses_IsSkipped()
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(2, [1, 2]), unused = tape.Variable(2, [1, 2]);
        _ = unused.Multiply(x);
        tape.Backward(x.Sum());
        Assert.False(unused.HasGrad);
        Assert.Throws<InvalidOperationException>(() => unused.Grad);
        Assert.Equal([1f, 1f], backend.Read(x.Grad));
    }

    [Fact]
    public void Backward_Constant_GetsNoGradient()
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(2, [1, 2]), c = tape.Constant(2, [3, 4]);
        tape.Backward(x.Multiply(c).Sum());
        Assert.False(c.HasGrad);
        Assert.Equal([3f, 4f], backend.Read(x.Grad));
    }

    [Fact]
    public void Backward_NotALoss_Throws()
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(2, [1, 2]);
        Assert.Throws<ArgumentException>(() => tape.Backward(x.Scale(2)));
    }

    [Fact]
    public void Reshape_UsedBesideItsOrigin_SharesValuesAndGradient()
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable((2, 3), [1, 2, 3, 4, 5, 6]), flat = x.Reshape(6), back = flat.Reshape((3, 2));
        Assert.Equal(x.ToArray(), back.ToArray());
        tape.Backward(flat.Square().Sum().Add(x.Sum()).Add(back.SumRows().Sum()));
        Assert.Equal([4f, 6f, 8f, 10f, 12f, 14f], backend.Read(x.Grad));
        Assert.Equal(x.Grad.Address, back.Grad.Address);
        Assert.Throws<ArgumentException>(() => x.Reshape(5));
    }

    [Fact]
    public void Backward_Done_OnlyLeavesAreOut()
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(100, new float[100]);
        Tensor loss = x.Exp().Square().Mean();
        Assert.Equal(4, backend.Pool.LiveBuffers);
        tape.Backward(loss);
        Assert.Equal(2, backend.Pool.LiveBuffers); // x and its gradient
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void InPlace_OfAnActivation_TakesItsMemoryAndUsesItUp(bool recording)
    {
        using Tape tape = backend.NewTape(recording);
        Tensor x = tape.Variable((1, 2, 1, 2), [1, 2, 3, 4]).Scale(2), flat = x.Reshape(4);
        nint memory = x.Data.Address;
        Tensor y = Turn(flat.Reshape((1, 2, 1, 2)));
        Assert.Equal(memory, y.Data.Address);
        Assert.Equal([-4f, 2f, -8f, 6f], y.ToArray()); // a quarter turn of every pair
        Assert.Throws<InvalidOperationException>(() => x.Add(y));
        Assert.Throws<InvalidOperationException>(() => flat.Data);
    }

    [Fact]
    public void InPlace_OfALeaf_OrOfWhatItsBackwardReads_LeavesItAlone()
    {
        using Tape tape = backend.NewTape();
        Tensor leaf = tape.Variable((1, 2, 1, 2), [0, 1, 0, 1]), x = leaf.Exp();
        Tensor turned = Turn(leaf), y = Turn(x);
        Assert.Equal([0f, 1f, 0f, 1f], leaf.ToArray());
        Assert.Equal(1f, x.ToArray()[0]);
        tape.Backward(y.Add(turned), [0, 1, 0, 0]); // y[1] = e^0, turned[1] = 0 of the first pair
        Assert.Equal([2f, 0f, 0f, 0f], backend.Read(leaf.Grad));
    }

    [Fact]
    public void InPlace_WhileAnotherBackwardNeedsTheValues_ThrowsThere()
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable((1, 1, 1, 2), [1, 2]).Scale(2), square = x.Multiply(x);
        Tensor loss = Turn(x).Add(square).Sum();
        Assert.Throws<InvalidOperationException>(() => tape.Backward(loss));
    }

    [Fact]
    public void InPlace_BesideAUseThatNeedsNoValues_AddsBothGradients()
    {
        using Tape tape = backend.NewTape();
        Tensor leaf = tape.Variable((1, 1, 1, 2), [1, 2]), x = leaf.Scale(2), tripled = x.Scale(3);
        tape.Backward(Turn(x).Add(tripled), [10, 100]);
        Assert.Equal([2 * (100f + 30f), 2 * (-10f + 300f)], backend.Read(leaf.Grad));
    }

    [Fact]
    public void Backward_OutputThatItDoesNotRead_IsFreeForGradients()
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(100, new float[100]).Scale(2), y = x.Scale(3);
        nint memory = y.Data.Address;
        tape.Backward(y, new float[100]);
        Assert.Equal(memory, x.Grad.Address);
        Assert.Throws<InvalidOperationException>(() => y.Data);
    }

    [Fact]
    public void Record_BackwardThatReadsItsOutputUnannounced_Throws()
    {
        using Tape tape = backend.NewTape();
        Tensor y = tape.New(1);
        backend.Fill(y.Data, 1f);
        tape.Record("Sly", y, () => backend.Read(y.Data));
        Assert.Throws<InvalidOperationException>(() => tape.Backward(y));
    }

    [Fact]
    public void Rewind_GivesMemoryBack_AndTheSameObjectsAgain()
    {
        int live = backend.Pool.LiveBuffers;
        using Tape tape = Tape.Rewindable(backend);
        Tensor first = tape.Constant(3, [1, 2, 3]), sum = first.Add(first).Reshape((3, 1));
        tape.Rewind();
        Assert.Equal(live, backend.Pool.LiveBuffers);
        Tensor again = tape.Constant((1, 2), [4, 5]), product = again.Multiply(again).Reshape(2);
        Assert.Same(first, again);
        Assert.Same(sum, product);
        Assert.Equal([16f, 25f], product.ToArray());
    }

    [Fact]
    public void Rewind_OfATapeForOneStep_Throws()
    {
        using Tape tape = backend.NewTape(recording: false);
        Assert.Throws<InvalidOperationException>(tape.Rewind);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, false)]
    public void Dispose_AnyTime_ReturnsEverything(bool recording, bool backward)
    {
        using (Tape tape = backend.NewTape(recording))
        {
            Tensor x = tape.Variable(5, [1, 2, 3, 4, 5]);
            Tensor loss = x.RmsNorm(tape.Constant(5, [1, 1, 1, 1, 1])).Mean();
            if (backward)
                tape.Backward(loss);
        }

        Assert.Equal((0, 0), (backend.Pool.LiveBuffers, backend.Pool.LiveBytes));
    }

    [Fact]
    public void SecondStep_SameSizes_MissesThePoolZeroTimes()
    {
        long misses = 0;
        for (int step = 0; step < 3; step++)
        {
            misses = backend.Pool.Misses;
            using Tape tape = backend.NewTape();
            Tensor x = tape.Variable((3, 5), new float[15]);
            tape.Backward(x.Softmax().Multiply(x).SumRows().Sum());
        }

        Assert.Equal(misses, backend.Pool.Misses);
    }

    [Fact]
    public void ManyNodes_MoreThanAStackBeginsWith_AllHaveTheirBackward()
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(1, [0.5f]), y = x;
        for (int i = 0; i < 500; i++)
            y = y.Add(x);
        tape.Backward(y);
        Assert.Equal([501f], backend.Read(x.Grad));
        Assert.Equal(2, backend.Pool.LiveBuffers); // x and its gradient
    }

    [Fact]
    public void NotRecording_Ops_ComputeButHaveNoBackward()
    {
        using Tape tape = backend.NewTape(recording: false);
        Tensor y = tape.Variable(2, [1, 2]).Square().Sum();
        Assert.Equal(5f, y.Item());
        Assert.False(y.WantsGrad);
        Assert.Throws<InvalidOperationException>(() => tape.Backward(y));
    }

    [Fact]
    public void FindNonFinite_ALogOfZero_NamesOpAndLayer()
    {
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(2, [0, 1]);
        Tensor fine = x.Add(x);
        Assert.Null(tape.FindNonFinite());
        tape.Scope = "layer 3";
        fine.Log();
        Assert.Equal("Log in layer 3", tape.FindNonFinite());
    }

    /// <summary>Each pair (a, b) of x (1, T, 1, 2) as (−b, a), by the rotary op.</summary>
    private static Tensor Turn(Tensor x)
    {
        int T = x.Shape[1];
        return x.Rope(x.Tape.Constant(T, new float[T]).Data, x.Tape.Constant(T, [.. Enumerable.Repeat(1f, T)]).Data);
    }
}
