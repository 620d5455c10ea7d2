using BenchmarkDotNet.Attributes;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;

namespace TinyMoE.Benchmarks;

/// <summary>
/// Kernels at the sizes that they have in a training step of the preset <c>bench</c>, on all cores. One class per family,
/// methods named by where they occur.
/// </summary>
public abstract class BenchKernels
{
    private Operands operands = null!;

    /// <summary>The preset, with its vocabulary.</summary>
    private protected static RunConfig Config { get; } = TrainingRun.ConfigOf("bench");

    protected static int B => Config.Train.Batch;

    protected static int T => Config.Model.Context;

    /// <summary>Tokens per step.</summary>
    protected static int N => B * T;

    protected static int C => Config.Model.Width;

    protected static int V => Config.Model.Vocabulary;

    protected static int H => Config.Attention.Heads;

    protected static int KvHeads => Config.Attention.KvHeads;

    protected static int D => Config.Attention.HeadSizeOrDefault(C);

    protected static int E => Config.Moe.Experts;

    protected static int K => Config.Moe.Active;

    protected static int F => Config.Moe.Hidden;

    /// <summary>Rows of all experts.</summary>
    protected static int Rows => N * K;

    private protected CpuBackend Backend { get; private set; } = null!;

    [GlobalSetup]
    public void Setup()
    {
        Backend = new CpuBackend();
        operands = new Operands(Backend);
        Prepare();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        operands.Dispose();
        Backend.Dispose();
    }

    /// <summary>Makes what the kernels are called with.</summary>
    private protected abstract void Prepare();

    private protected Floats Random(int length) => operands.Random(length);

    private protected Ints Indices(IEnumerable<int> values) => operands.Indices([.. values]);

    /// <summary>K experts for each token, all different, drawn evenly: (N, K).</summary>
    private protected Ints RandomChoices()
    {
        Random random = new(1);
        int[] experts = [.. Enumerable.Range(0, E)];
        return Indices(Enumerable.Range(0, N).SelectMany(_ =>
        {
            random.Shuffle(experts);
            return experts[..K];
        }));
    }

    private protected Ints Zeros(int length) => Indices(Enumerable.Repeat(0, length));
}
