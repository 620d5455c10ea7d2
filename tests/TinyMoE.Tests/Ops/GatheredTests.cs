using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

/// <summary>Products of experts with rows that nobody moved: <c>DispatchByToken</c> and what reads it.</summary>
public sealed class GatheredTests : OpTests<GatheredTests>, IOpCases
{
    // Rows of each expert, unassigned ones behind them, and the tokens that they are of: fewer, more, one, some without a row.
    private static readonly (int[] Loads, int Unassigned, int Tokens)[] Plans =
        [([5, 11, 2], 0, 9), ([0, 7, 0, 3, 0], 2, 5), ([9, 0, 0], 7, 1), ([0, 0], 4, 3), ([1, 0, 1, 0, 0, 1], 1, 20)];

    public static IEnumerable<OpCase> Cases =>
    [
        .. Plans.SelectMany(plan => new[]
        {
            Linear(plan, inputs: 9, outputs: 7, (z, _) => z, (rows, x, o) => rows.GroupedLinear(x[1], o, x[2])),
            Linear(
                plan, 17, 19, (z, _) => Math.Max(z, 0), (rows, x, o) => rows.GroupedLinearActivated(x[1], o, Unary.Relu, x[2]), "ReLU"),
            FeedForward(plan, C: 13, hidden: 6),
        }),
        Linear(Plans[1], 8, 16, (z, _) => z, (rows, x, o) => rows.GroupedLinear(x[1], o, x[2])).InBfloat16(i => i == 0, i => i == 1),
        FeedForward(Plans[1], C: 16, hidden: 8).InBfloat16(i => i == 0, i => i > 0),
    ];

    [Fact]
    public void UnmovedRows_InAnotherOp_AreAnError()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        DispatchTests.Plan plan = new(N: 4, rows: 6, unassigned: 1);
        Tensor rows = Unmoved(tape.Variable((4, 3), new float[12]), plan), w = tape.Variable((2, 3), new float[6]);
        Action[] others = [() => rows.Linear(w), () => rows.Scale(2f), () => rows.Reshape((3, 6)).Scale(2f), () => rows.ToArray()];
        Assert.All(others, other => Assert.Contains(
            "rows of tokens that nobody moved", Assert.Throws<InvalidOperationException>(other).Message, StringComparison.Ordinal));
    }

    [Fact]
    public void UnmovedRows_WithAPlanOfOtherSizes_AreAnError()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        DispatchTests.Plan plan = new(N: 4, rows: 6, unassigned: 1);
        Tensor x = tape.Variable((5, 3), new float[15]);
        Assert.Contains("DispatchByToken", Assert.ThrowsAny<ArgumentException>(() => Unmoved(x, plan)).Message, StringComparison.Ordinal);
    }

    /// <summary>The memory of the rows' gradient goes with their node, as that of rows that were moved.</summary>
    [Fact]
    public void Backward_OfUnmovedRows_KeepsNoMemory()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        DispatchTests.Plan plan = new(N: 4, rows: 6, unassigned: 1);
        Tensor x = tape.Variable((4, 3), new float[12]), w = tape.Variable((1, 2, 3), new float[6]);
        Ints offsets = tape.Ints([0, 5]);
        (Ints tokens, Ints tokenOffsets, Ints rowsByToken) =
            (tape.Ints(plan.Tokens), tape.Ints(plan.TokenOffsets), tape.Ints(plan.RowsByToken));
        long bytes = 0;
        for (int i = 0; i < 3; i++)
        {
            Tensor y = x.DispatchByToken(tokens, tokenOffsets, rowsByToken).GroupedLinear(w, offsets);
            tape.Backward(y, new float[y.Count]);
            Assert.True(i == 0 || bytes == backend.Pool.LiveBytes);
            bytes = backend.Pool.LiveBytes;
        }
    }

    internal static Tensor Unmoved(Tensor x, DispatchTests.Plan plan) =>
        x.DispatchByToken(x.Tape.Ints(plan.Tokens), x.Tape.Ints(plan.TokenOffsets), x.Tape.Ints(plan.RowsByToken));

    /// <summary>y[r] = f(w[e]·x[token of r] + bias[e]).</summary>
    private static OpCase Linear(
        (int[] Loads, int Unassigned, int Tokens) plan, int inputs, int outputs, Func<double, double, double> f,
        Func<Tensor, Tensor[], Ints, Tensor> op, string then = "plain")
    {
        int E = plan.Loads.Length, rows = plan.Loads.Sum() + plan.Unassigned;
        DispatchTests.Plan of = new(plan.Tokens, rows, plan.Unassigned);
        return new OpCase(
            $"GatheredLinear {then}, {Named(plan)}, {inputs} to {outputs}",
            [(plan.Tokens, inputs), (E, outputs, inputs), (E, outputs)],
            x => op(Unmoved(x[0], of), x, Offsets(x[0].Tape, plan.Loads)),
            x => Product(plan.Loads, of.Tokens, x[0], x[1], x[2], inputs, outputs, f, new double[rows * outputs]));
    }

    /// <summary>Both upper projections of SwiGLU read the same rows, and both add to their gradient.</summary>
    private static OpCase FeedForward((int[] Loads, int Unassigned, int Tokens) plan, int C, int hidden)
    {
        int E = plan.Loads.Length, rows = plan.Loads.Sum() + plan.Unassigned;
        DispatchTests.Plan of = new(plan.Tokens, rows, plan.Unassigned);
        return new OpCase(
            $"GatheredLinear gated, {Named(plan)}, {C} to {hidden}", [(plan.Tokens, C), (E, hidden, C), (E, hidden, C)],
            x =>
            {
                Tensor unmoved = Unmoved(x[0], of);
                Ints offsets = Offsets(x[0].Tape, plan.Loads);
                return unmoved.GroupedLinearGated(unmoved.GroupedLinear(x[1], offsets), x[2], offsets);
            },
            x =>
            {
                double[] none = new double[E * hidden], zeros = new double[rows * hidden];
                double[] gate = Product(plan.Loads, of.Tokens, x[0], x[1], none, C, hidden, (z, _) => z, zeros);
                return Product(plan.Loads, of.Tokens, x[0], x[2], none, C, hidden, (z, g) => z * g / (1 + Math.Exp(-g)), gate);
            });
    }

    private static double[] Product(
        int[] loads, int[] tokens, double[] x, double[] w, double[] bias, int inputs, int outputs, Func<double, double, double> f,
        double[] gate)
    {
        double[] y = new double[tokens.Length * outputs];
        int end = 0;
        for (int e = 0, r = 0; e < loads.Length; e++)
        {
            for (end += loads[e]; r < end; r++)
            {
                for (int o = 0; o < outputs; o++)
                {
                    double z = bias[(e * outputs) + o];
                    for (int i = 0; i < inputs; i++)
                        z += x[(tokens[r] * inputs) + i] * w[(((e * outputs) + o) * inputs) + i];
                    y[(r * outputs) + o] = f(z, gate[(r * outputs) + o]);
                }
            }
        }

        return y;
    }

    private static Ints Offsets(Tape tape, int[] loads) => tape.Ints([0, .. loads.Select((_, e) => loads.Take(e + 1).Sum())]);

    private static string Named((int[] Loads, int Unassigned, int Tokens) plan) =>
        $"{string.Join('+', plan.Loads)} and {plan.Unassigned} of {plan.Tokens}";
}
