using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>y = x·wᵀ + bias. x (..., in), w (out, in), bias (out) or null; y (..., out).</summary>
    public static Tensor Linear(this Tensor x, Tensor w, Tensor? bias = null) => Project(nameof(Linear), x, w, default, bias);

    /// <summary>The same with a result in float32, whatever x is kept in: logits. Where w has no values in bfloat16 the whole product is
    /// float32, of x widened: a router.</summary>
    public static Tensor LinearToFloat32(this Tensor x, Tensor w, Tensor? bias = null) =>
        Project(nameof(LinearToFloat32), x, w, default, bias, result: ElementType.Float32);

    /// <summary>y = f(x·wᵀ + bias). x (..., in), w (out, in), bias (out) or null; y (..., out).</summary>
    public static Tensor LinearActivated(this Tensor x, Tensor w, Unary f, Tensor? bias = null) =>
        Project(nameof(LinearActivated), x, w, default, bias, f);

    /// <summary>y = silu(gate)·(x·wᵀ + bias), the upper half of SwiGLU (Shazeer 2020). x
    /// (..., in), gate (..., out), w (out, in), bias (out) or null; y (..., out).</summary>
    public static Tensor LinearGated(this Tensor x, Tensor gate, Tensor w, Tensor? bias = null) =>
        Project(nameof(LinearGated), x, w, default, bias, gate: gate);

    /// <summary>A linear map, of all rows or (offsets given) of each expert's, and what
    /// follows it in the same pass: nothing, f, or the product with silu(gate).</summary>
    private static Tensor Project(
        string op, Tensor x, Tensor w, Ints offsets, Tensor? bias, Unary? f = null, Tensor? gate = null, ElementType? result = null)
    {
        bool grouped = !offsets.IsNone;
        int E = grouped ? w.Shape[0] : 1, inputs = x.Shape.Last, outputs = w.Shape[grouped ? 1 : 0], N = x.Count / inputs;
        Check.Shape(op, w, grouped ? (E, outputs, inputs) : (outputs, inputs));
        if (grouped)
        {
            Check.Shape(op, x, (N, inputs));
            Check.Length(op, offsets, E + 1);
        }

        if (bias is not null)
            Check.Shape(op, bias, grouped ? (E, outputs) : outputs);
        Shape shape = grouped ? (N, outputs) : x.Shape.WithLast(outputs);
        if (gate is not null)
            Check.Shape(op, gate, shape);

        Tape tape = x.Tape;
        Backend backend = tape.Backend;
        bool narrow = grouped || x.Type == ElementType.Bfloat16;    // which values of w are read
        Tensor y = tape.New(shape, result ?? x.Type);               // (..., outputs)
        bool isActivated = f is not null || gate is not null;
        // x·wᵀ + bias; where y > 0 tells the slope of ReLU as well
        Values z = isActivated && f != Unary.Relu ? tape.Saved(y.Count, y.Type) : y.Values;
        Epilogue epilogue = new()
        {
            Bias = bias?.Data ?? default,
            Activation = f ?? Unary.Silu,
            Gate = gate?.Values ?? default,
            Activated = isActivated ? y.Values : default,
            Precision = RoundingOf(grouped, w, y),
        };
        if (grouped && x is UnmovedRows rows)
            backend.GatheredMatMul(
                rows.Source.Values, rows.Tokens, WeightsOf(w, narrow), offsets, E, N, rows.TokenCount, inputs, outputs, z, epilogue);
        else if (grouped)
            backend.GroupedMatMul(x.Values, WeightsOf(w, narrow), offsets, E, N, inputs, outputs, z, epilogue);
        else
            backend.MatMul(x.Values, false, WeightsOf(w, narrow), true, 1, N, outputs, inputs, z, epilogue);

        // what backward can tell from the tensors again is not kept for it: there are many of these
        return tape.Record(op, y, x, w, offsets, bias, f, gate, z, ProjectBackward, readsOutput: f is not null);
    }

    // dz = dy·f'(z), or dz = dy·silu(gate) and dgate = dy·z·silu'(gate), in the place of dy
    // dx = dz·w,   dw = dzᵀ·x,   dbias = Σ_n dz,   each expert's over its own rows
    private static void ProjectBackward(Tensor y, Tensor x, Tensor w, Ints offsets, Tensor? bias, Unary? f, Tensor? gate, Values z)
    {
        Backend backend = y.Tape.Backend;
        bool grouped = !offsets.IsNone;
        int E = grouped ? w.Shape[0] : 1, inputs = x.Shape.Last, outputs = y.Shape.Last, N = x.Count / inputs;
        ElementType rounding = RoundingOf(grouped, w, y);
        Values dz = y.GradValues;
        Weights weights = WeightsOf(w, grouped || x.Type == ElementType.Bfloat16);
        if (gate is not null)
            backend.SwiGluBackward(dz, gate.Values, z, y.Count, gate.GradTarget(), dz, rounding);
        else if (f is not null)
            backend.UnaryBackward(f.Value, z, y.Values, dz, y.Count, dz);
        if (gate is null && rounding == ElementType.Bfloat16)
            backend.RoundToBfloat16(dz.Float32, y.Count, dz);
        bool narrows = x.Type == ElementType.Bfloat16 && weights.Type == ElementType.Bfloat16;
        using Converted gradient = new(backend, dz, narrows ? ElementType.Bfloat16 : dz.Type); // of logits: rounded once
        UnmovedRows? rows = x as UnmovedRows;
        using Converted input = new(backend, (rows?.Source ?? x).Values, narrows ? x.Type : ElementType.Float32); // of a router: widened
        dz = gradient.Values;

        if (grouped)
        {
            backend.GroupedMatMulBackwardInput(dz, weights, offsets, E, N, inputs, outputs, x.GradTarget());
            if (rows is null)
                backend.GroupedMatMulBackwardWeight(dz, input.Values, offsets, E, N, inputs, outputs, w.GradTarget());
            else
                backend.GatheredMatMulBackwardWeight(
                    dz, input.Values, rows.Tokens, offsets, E, N, rows.TokenCount, inputs, outputs, w.GradTarget());
            if (bias is not null)
                backend.GroupedSum(dz, offsets, E, N, outputs, bias.GradTarget());
        }
        else
        {
            backend.MatMul(dz, false, weights, false, 1, N, inputs, outputs, x.GradTarget());
            backend.MatMul(dz, true, input.Values, false, 1, outputs, inputs, N, w.GradTarget());
            if (bias is not null)
                backend.SumRows(dz, 1f, N, outputs, bias.GradTarget());
        }
    }

    /// <summary>
    /// What experts round what they give to, those that compute in bfloat16: not those that are only kept so, and memory of 16 bits rounds.
    /// </summary>
    private static ElementType RoundingOf(bool grouped, Tensor w, Tensor y) =>
        grouped && y.Type == ElementType.Float32 ? w.Rounding : ElementType.Float32;

    /// <summary>What a product or a lookup reads of w: the values in bfloat16 where they are wanted and there are any.</summary>
    private static Weights WeightsOf(Tensor w, bool narrow) => narrow && !w.Bfloat16.IsNone ? w.Bfloat16 : w.Weights;

    /// <summary>Values in a type: themselves where they have it, else in scratch until this is disposed.</summary>
    private readonly ref struct Converted
    {
        private readonly Backend backend;
        private readonly DeviceBuffer? scratch;

        public Converted(Backend backend, Values values, ElementType type)
        {
            (this.backend, Values) = (backend, values);
            if (values.Type == type)
                return;
            scratch = backend.Pool.Rent(type.BytesOf(values.Length), "values converted");
            Values = Values.At(scratch.Address, values.Length, type);
            backend.Convert(values, values.Length, Values);
        }

        public Values Values { get; }

        public void Dispose()
        {
            if (scratch is not null)
                backend.Pool.Return(scratch);
        }
    }

    /// <summary>y = op(a)·op(b), op = transpose where the flag says. a (rows, inner), b (inner,
    /// columns), y (rows, columns); of rank 3, one product for each of the first dimension.</summary>
    public static Tensor MatMul(this Tensor a, Tensor b, bool transposeA = false, bool transposeB = false)
    {
        int rank = a.Shape.Rank, batch = rank == 3 ? a.Shape[0] : 1;
        Check.That(
            nameof(MatMul), rank is 2 or 3 && b.Shape.Rank == rank, $"a and b are of the same rank, 2 or 3, not {a.Shape} and {b.Shape}");
        int rows = a.Shape[transposeA ? rank - 1 : rank - 2], inner = a.Shape[transposeA ? rank - 2 : rank - 1];
        int columns = b.Shape[transposeB ? rank - 2 : rank - 1];
        var (bRows, bColumns) = transposeB ? (columns, inner) : (inner, columns);
        Check.Shape(nameof(MatMul), b, rank == 3 ? (batch, bRows, bColumns) : (bRows, bColumns));

        Tape tape = a.Tape;
        Backend backend = tape.Backend;
        bool narrow = a.Type == ElementType.Bfloat16;
        Tensor y = tape.New(rank == 3 ? (batch, rows, columns) : (rows, columns), a.Type);
        backend.MatMul(a.Values, transposeA, WeightsOf(b, narrow), transposeB, batch, rows, columns, inner, y.Values);

        // d op(a) = dy·op(b)ᵀ,   d op(b) = op(a)ᵀ·dy;   of a transposed operand both sides transposed: da = op(b)·dyᵀ,   db = dyᵀ·op(a)
        return tape.Record(nameof(MatMul), y, a, b, transposeA, transposeB, static (y, a, b, transposeA, transposeB) =>
        {
            Backend backend = y.Tape.Backend;
            int rank = y.Shape.Rank, batch = rank == 3 ? y.Shape[0] : 1, rows = y.Shape[rank - 2], columns = y.Shape.Last;
            int inner = a.Shape[transposeA ? rank - 2 : rank - 1];
            Weights weights = WeightsOf(b, a.Type == ElementType.Bfloat16);
            if (transposeA)
                backend.MatMul(weights.Values, transposeB, y.GradValues, true, batch, inner, rows, columns, a.GradTarget());
            else
                backend.MatMul(y.GradValues, false, weights, !transposeB, batch, rows, inner, columns, a.GradTarget());
            if (transposeB)
                backend.MatMul(y.GradValues, true, a.Values, transposeA, batch, columns, inner, rows, b.GradTarget());
            else
                backend.MatMul(a.Values, !transposeA, y.GradValues, false, batch, inner, columns, rows, b.GradTarget());
        });
    }
}
