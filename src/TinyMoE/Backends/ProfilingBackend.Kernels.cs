using System.Runtime.CompilerServices;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends;

// The table of formulas: for each kernel the sizes that its row is named by, its floating-point operations (a multiplication, an addition, a comparison, a
// root or an exponential is one), and the 4-byte values that it must move.
public sealed partial class ProfilingBackend
{
    // ---- Transfer -------------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void Write<T>(ReadOnlySpan<T> source, View<T> destination)
    {
        using (Time(new(nameof(Write)), flops: 0, values: 2.0 * source.Length * Unsafe.SizeOf<T>() / sizeof(float)))
            device.Write(source, destination);
    }

    /// <inheritdoc/>
    public override void Read<T>(View<T> source, Span<T> destination)
    {
        using (Time(new(nameof(Read)), flops: 0, values: 2.0 * source.Length * Unsafe.SizeOf<T>() / sizeof(float)))
            device.Read(source, destination);
    }

    /// <inheritdoc/>
    public override void ReadCounts(Ints offsets, Span<int> destination)
    {
        using (Time(new(nameof(ReadCounts)), flops: 0, values: 2.0 * offsets.Length))
            device.ReadCounts(offsets, destination);
    }

    /// <inheritdoc/>
    public override void Fill(Floats y, float value)
    {
        using (Time(new(nameof(Fill), y.Length), flops: 0, values: y.Length))
            device.Fill(y, value);
    }

    /// <inheritdoc/>
    public override void CopyColumns(Floats x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y)
    {
        using (Time(new(nameof(CopyColumns), N, C), flops: y.Adds ? Area(N, C) : 0, values: Area(N, C) + Out(y, Area(N, C))))
            device.CopyColumns(x, xWidth, xStart, N, C, yWidth, yStart, y);
    }

    // ---- Elementwise ----------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void UnaryForward(Unary f, Floats x, int n, Floats y)
    {
        using (Time(new(nameof(UnaryForward), n, Form: f.ToString()), flops: n, values: 2.0 * n))
            device.UnaryForward(f, x, n, y);
    }

    /// <inheritdoc/>
    public override void UnaryBackward(Unary f, Floats x, Floats y, Floats dy, int n, Target dx)
    {
        using (Time(new(nameof(UnaryBackward), n, Form: f.ToString()), flops: 2.0 * n, values: 3.0 * n + Out(dx, n)))
            device.UnaryBackward(f, x, y, dy, n, dx);
    }

    /// <inheritdoc/>
    public override void BinaryForward(Binary f, Floats a, Floats b, Broadcast broadcast, int N, int C, Floats y)
    {
        using (Time(new(nameof(BinaryForward), N, C, Form: f.ToString()), flops: Area(N, C), values: 2.0 * N * C + Second(broadcast, N, C)))
            device.BinaryForward(f, a, b, broadcast, N, C, y);
    }

    /// <inheritdoc/>
    public override void BinaryBackward(Binary f, Floats dy, Floats a, Floats b, Broadcast broadcast, int N, int C, Target da, Target db)
    {
        using (Time(
            new(nameof(BinaryBackward), N, C, Form: f.ToString()), flops: 2.0 * N * C,
            values: 2.0 * N * C + Second(broadcast, N, C) + Out(da, Area(N, C)) + Out(db, Second(broadcast, N, C))))
            device.BinaryBackward(f, dy, a, b, broadcast, N, C, da, db);
    }

    /// <inheritdoc/>
    public override void Affine(Floats x, float scale, float shift, int n, Target y)
    {
        using (Time(new(nameof(Affine), n), flops: 2.0 * n, values: n + Out(y, n)))
            device.Affine(x, scale, shift, n, y);
    }

    // ---- bfloat16: to the nearest, ties to the even one, NaN stays NaN ----------------------------------------------------------------
    /// <inheritdoc/>
    public override void RoundToBfloat16(Floats x, int n, Target y)
    {
        using (Time(new(nameof(RoundToBfloat16), n), flops: n, values: n + Out(y, n)))
            device.RoundToBfloat16(x, n, y);
    }

    /// <inheritdoc/>
    public override void PackBfloat16(Floats x, int n, Bfloat16s y)
    {
        using (Time(new(nameof(PackBfloat16), n), flops: n, values: 1.5 * n))
            device.PackBfloat16(x, n, y);
    }

    // ---- Reductions, in a fixed order -----------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void SumRows(Floats x, float scale, int N, int C, Target y)
    {
        using (Time(new(nameof(SumRows), N, C), flops: Area(N, C), values: Area(N, C) + Out(y, C)))
            device.SumRows(x, scale, N, C, y);
    }

    /// <inheritdoc/>
    public override void SumColumns(Floats x, float scale, int N, int C, Target y)
    {
        using (Time(new(nameof(SumColumns), N, C), flops: Area(N, C), values: Area(N, C) + Out(y, N)))
            device.SumColumns(x, scale, N, C, y);
    }

    /// <inheritdoc/>
    public override void BroadcastRows(Floats x, float scale, int N, int C, Target y)
    {
        using (Time(new(nameof(BroadcastRows), N, C), flops: Area(N, C), values: C + Out(y, Area(N, C))))
            device.BroadcastRows(x, scale, N, C, y);
    }

    /// <inheritdoc/>
    public override void BroadcastColumns(Floats x, float scale, int N, int C, Target y)
    {
        using (Time(new(nameof(BroadcastColumns), N, C), flops: Area(N, C), values: N + Out(y, Area(N, C))))
            device.BroadcastColumns(x, scale, N, C, y);
    }

    // ---- Numbers: one-element tensors, wherever they lie, many in one pass ------------------------------------------------------------
    /// <inheritdoc/>
    public override void SumNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, Target y)
    {
        using (Time(new(nameof(SumNumbers), x.Length), flops: 2.0 * x.Length, values: x.Length + Out(y, 1)))
            device.SumNumbers(x, weights, y);
    }

    /// <inheritdoc/>
    public override void ScaleNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, ReadOnlySpan<Target> y)
    {
        using (Time(new(nameof(ScaleNumbers), x.Length), flops: x.Length, values: 2.0 * x.Length))
            device.ScaleNumbers(x, weights, y);
    }

    // ---- Matrix products ------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void MatMul(Floats a, bool transposeA, Floats b, bool transposeB, int batch, int rows, int columns, int inner, Target c, in Epilogue epilogue = default)
    {
        double area = 1.0 * batch * rows * columns;
        using (Time(
            new(nameof(MatMul), batch > 1 ? batch : 0, rows, columns, inner, Form(transposeA, transposeB)), flops: 2.0 * area * inner + Flops(epilogue, area),
            values: 1.0 * batch * (Area(rows, inner) + Area(inner, columns)) + Out(c, area) + Values(epilogue, area)))
            device.MatMul(a, transposeA, b, transposeB, batch, rows, columns, inner, c, epilogue);
    }

    /// <inheritdoc/>
    public override void GroupedMatMul(Floats x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default)
    {
        double area = Area(N, outputs);
        using (Time(
            new(nameof(GroupedMatMul), N, outputs, inputs), flops: 2.0 * area * inputs + Flops(epilogue, area),
            values: Area(N, inputs) + 1.0 * E * outputs * inputs + Out(y, area) + Values(epilogue, area)))
            device.GroupedMatMul(x, w, offsets, E, N, inputs, outputs, y, epilogue);
    }

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardInput(Floats dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        using (Time(
            new(nameof(GroupedMatMulBackwardInput), N, inputs, outputs), flops: 2.0 * N * inputs * outputs,
            values: Area(N, outputs) + Values(w, 1.0 * E * outputs * inputs) + Out(dx, Area(N, inputs))))
            device.GroupedMatMulBackwardInput(dy, w, offsets, E, N, inputs, outputs, dx);
    }

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardWeight(Floats dy, Floats x, Ints offsets, int E, int N, int inputs, int outputs, Target dw)
    {
        using (Time(
            new(nameof(GroupedMatMulBackwardWeight), N, outputs, inputs), flops: 2.0 * N * inputs * outputs,
            values: Area(N, outputs) + Area(N, inputs) + Out(dw, 1.0 * E * outputs * inputs)))
            device.GroupedMatMulBackwardWeight(dy, x, offsets, E, N, inputs, outputs, dw);
    }

    /// <inheritdoc/>
    public override void GroupedSum(Floats x, Ints offsets, int E, int N, int C, Target y)
    {
        using (Time(new(nameof(GroupedSum), N, C), flops: Area(N, C), values: Area(N, C) + Out(y, Area(E, C))))
            device.GroupedSum(x, offsets, E, N, C, y);
    }

    /// <inheritdoc/>
    public override void GroupedBroadcast(Floats x, Ints offsets, int E, int N, int C, Target y)
    {
        using (Time(new(nameof(GroupedBroadcast), N, C), flops: y.Adds ? Area(N, C) : 0, values: Area(E, C) + Out(y, Area(N, C))))
            device.GroupedBroadcast(x, offsets, E, N, C, y);
    }

    // ---- Norms ----------------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void RmsNormForward(Floats x, Floats branch, Floats w, int N, int C, float eps, Floats s, Floats y, Floats r)
    {
        using (Time(new(nameof(RmsNormForward), N, C), flops: (branch.IsNone ? 4.0 : 5.0) * N * C, values: (branch.IsNone ? 2.0 : 4.0) * N * C + C + N))
            device.RmsNormForward(x, branch, w, N, C, eps, s, y, r);
    }

    /// <inheritdoc/>
    public override void RmsNormBackward(Floats dy, Floats ds, Floats s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw)
    {
        using (Time(
            new(nameof(RmsNormBackward), N, C), flops: (ds.IsNone ? 9.0 : 10.0) * N * C,
            values: (ds.IsNone ? 2.0 : 3.0) * N * C + C + N + Out(dx, Area(N, C)) + Out(dbranch, Area(N, C)) + Out(dw, C)))
            device.RmsNormBackward(dy, ds, s, w, r, N, C, dx, dbranch, dw);
    }

    /// <inheritdoc/>
    public override void LayerNormForward(Floats x, Floats branch, Floats w, Floats b, int N, int C, float eps, Floats s, Floats y, Floats mean, Floats r)
    {
        using (Time(
            new(nameof(LayerNormForward), N, C), flops: (branch.IsNone ? 8.0 : 9.0) * N * C, values: (branch.IsNone ? 2.0 : 4.0) * N * C + 2.0 * C + 2.0 * N))
            device.LayerNormForward(x, branch, w, b, N, C, eps, s, y, mean, r);
    }

    /// <inheritdoc/>
    public override void LayerNormBackward(
        Floats dy, Floats ds, Floats s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db)
    {
        using (Time(
            new(nameof(LayerNormBackward), N, C), flops: (ds.IsNone ? 13.0 : 14.0) * N * C,
            values: (ds.IsNone ? 2.0 : 3.0) * N * C + C + 2.0 * N + Out(dx, Area(N, C)) + Out(dbranch, Area(N, C)) + Out(dw, C) + Out(db, C)))
            device.LayerNormBackward(dy, ds, s, w, mean, r, N, C, dx, dbranch, dw, db);
    }

    // ---- Softmax and losses ---------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void SoftmaxForward(Floats x, int N, int C, Floats y)
    {
        using (Time(new(nameof(SoftmaxForward), N, C), flops: 5.0 * N * C, values: 2.0 * N * C))
            device.SoftmaxForward(x, N, C, y);
    }

    /// <inheritdoc/>
    public override void SoftmaxBackward(Floats dy, Floats y, int N, int C, Target dx)
    {
        using (Time(new(nameof(SoftmaxBackward), N, C), flops: 4.0 * N * C, values: 2.0 * N * C + Out(dx, Area(N, C))))
            device.SoftmaxBackward(dy, y, N, C, dx);
    }

    /// <inheritdoc/>
    public override void LogSumExpForward(Floats x, int N, int C, Floats y)
    {
        using (Time(new(nameof(LogSumExpForward), N, C), flops: 4.0 * N * C, values: Area(N, C) + N))
            device.LogSumExpForward(x, N, C, y);
    }

    /// <inheritdoc/>
    public override void LogSumExpBackward(Floats dy, Floats x, Floats y, int N, int C, Target dx)
    {
        using (Time(new(nameof(LogSumExpBackward), N, C), flops: 3.0 * N * C, values: Area(N, C) + 2.0 * N + Out(dx, Area(N, C))))
            device.LogSumExpBackward(dy, x, y, N, C, dx);
    }

    /// <inheritdoc/>
    public override void CrossEntropyForward(Floats logits, Ints targets, int N, int V, Floats loss, Floats logSumExp)
    {
        using (Time(new(nameof(CrossEntropyForward), N, V), flops: 4.0 * N * V, values: Area(N, V) + 2.0 * N))
            device.CrossEntropyForward(logits, targets, N, V, loss, logSumExp);
    }

    /// <inheritdoc/>
    public override void CrossEntropyBackward(Floats dloss, Floats logits, Ints targets, Floats logSumExp, int N, int V, Target dlogits)
    {
        using (Time(new(nameof(CrossEntropyBackward), N, V), flops: 3.0 * N * V, values: Area(N, V) + 2.0 * N + Out(dlogits, Area(N, V))))
            device.CrossEntropyBackward(dloss, logits, targets, logSumExp, N, V, dlogits);
    }

    /// <inheritdoc/>
    public override void ZLossForward(Floats logits, Floats mask, float scale, int N, int E, Floats loss, Floats logSumExp)
    {
        using (Time(new(nameof(ZLossForward), N, E), flops: 3.0 * N * E, values: Area(N, E) + N + mask.Length))
            device.ZLossForward(logits, mask, scale, N, E, loss, logSumExp);
    }

    /// <inheritdoc/>
    public override void ZLossBackward(Floats dloss, Floats logits, Floats mask, Floats logSumExp, float scale, int N, int E, Target dlogits)
    {
        using (Time(new(nameof(ZLossBackward), N, E), flops: 3.0 * N * E, values: Area(N, E) + N + mask.Length + Out(dlogits, Area(N, E))))
            device.ZLossBackward(dloss, logits, mask, logSumExp, scale, N, E, dlogits);
    }

    // ---- Feed-forward, positions, attention -----------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void SwiGluForward(Floats gate, Floats up, int n, Floats y)
    {
        using (Time(new(nameof(SwiGluForward), n), flops: 5.0 * n, values: 3.0 * n))
            device.SwiGluForward(gate, up, n, y);
    }

    /// <inheritdoc/>
    public override void SwiGluBackward(Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup, ElementType precision = ElementType.Float32)
    {
        using (Time(new(nameof(SwiGluBackward), n), flops: 10.0 * n, values: 3.0 * n + Out(dgate, n) + Out(dup, n)))
            device.SwiGluBackward(dy, gate, up, n, dgate, dup, precision);
    }

    /// <inheritdoc/>
    public override void Rope(
        Floats q, Floats k, Floats cos, Floats sin, int B, int T, int H, int KvHeads, int D, int start, bool inverse, Target yq, Target yk)
    {
        double queries = yq.IsNone ? 0 : 1.0 * B * T * H * D, keys = yk.IsNone ? 0 : 1.0 * B * T * KvHeads * D;
        using (Time(
            new(nameof(Rope), B * T, H, KvHeads, D), flops: 3 * (queries + keys),
            values: queries + keys + Area(T, D) + Out(yq, queries) + Out(yk, keys)))
            device.Rope(q, k, cos, sin, B, T, H, KvHeads, D, start, inverse, yq, yk);
    }

    /// <inheritdoc/>
    public override void AttentionForward(Floats q, Floats k, Floats v, in AttentionSizes sizes, in Dropout dropout, Floats y, Floats logSumExp)
    {
        using (Time(
            new(nameof(AttentionForward), sizes.B, sizes.T, sizes.H, sizes.D), flops: 4.0 * Pairs(sizes) * sizes.D,
            values: 2.0 * Queries(sizes) + 2.0 * Keys(sizes) + Rows(sizes)))
            device.AttentionForward(q, k, v, in sizes, in dropout, y, logSumExp);
    }

    /// <inheritdoc/>
    public override void AttentionBackward(Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq, Target dk, Target dv)
    {
        using (Time(
            new(nameof(AttentionBackward), sizes.B, sizes.T, sizes.H, sizes.D), flops: 10.0 * Pairs(sizes) * sizes.D,
            values: 3.0 * Queries(sizes) + 2.0 * Keys(sizes) + Rows(sizes) + Out(dq, Queries(sizes)) + Out(dk, Keys(sizes)) + Out(dv, Keys(sizes))))
            device.AttentionBackward(dy, q, k, v, y, logSumExp, in sizes, in dropout, dq, dk, dv);
    }

    // ---- Embedding, random numbers --------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void EmbeddingForward(Floats table, Ints ids, int N, int V, int C, Floats y)
    {
        using (Time(new(nameof(EmbeddingForward), N, C), flops: 0, values: 2.0 * N * C + N))
            device.EmbeddingForward(table, ids, N, V, C, y);
    }

    /// <inheritdoc/>
    public override void EmbeddingBackward(Floats dy, Ints ids, int N, int V, int C, Target dtable)
    {
        using (Time(new(nameof(EmbeddingBackward), N, C), flops: Area(N, C), values: Area(N, C) + N + Out(dtable, Area(V, C))))
            device.EmbeddingBackward(dy, ids, N, V, C, dtable);
    }

    /// <inheritdoc/>
    public override void FillUniform(RandomKey key, int n, Floats y)
    {
        using (Time(new(nameof(FillUniform), n), flops: n, values: n))
            device.FillUniform(key, n, y);
    }

    /// <inheritdoc/>
    public override void FillNormal(RandomKey key, int n, Floats y)
    {
        using (Time(new(nameof(FillNormal), n), flops: n, values: n))
            device.FillNormal(key, n, y);
    }

    /// <inheritdoc/>
    public override void Jitter(Floats x, float width, RandomKey key, int n, Target y)
    {
        using (Time(new(nameof(Jitter), n), flops: 2.0 * n, values: n + Out(y, n)))
            device.Jitter(x, width, key, n, y);
    }

    /// <inheritdoc/>
    public override void Dropout(Floats x, in Dropout dropout, int n, Target y)
    {
        using (Time(new(nameof(Dropout), n), flops: 2.0 * n, values: n + Out(y, n)))
            device.Dropout(x, in dropout, n, y);
    }

    // ---- Optimiser ------------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void Norm(Floats x, int n, Floats y)
    {
        using (Time(new(nameof(Norm), n), flops: 2.0 * n, values: n))
            device.Norm(x, n, y);
    }

    /// <inheritdoc/>
    public override void AdamW(Floats g, Floats norm, in AdamWStep step, int n, Floats w, Floats m, Floats v, Bfloat16s copy = default)
    {
        using (Time(new(nameof(AdamW), n), flops: 16.0 * n, values: (copy.IsNone ? 7.0 : 7.5) * n))
            device.AdamW(g, norm, in step, n, w, m, v, copy);
    }
}
