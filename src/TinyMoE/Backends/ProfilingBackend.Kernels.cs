using System.Runtime.CompilerServices;
using TinyMoE.Configuration;
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
    public override void SwiGluBackward(Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup, Precision precision = Precision.Float32)
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

    // ---- Routing --------------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void TopK(Floats x, int T, int groups, int E, int K, Ints columns)
    {
        int rows = T * groups;
        using (Time(new(nameof(TopK), rows, E, K), flops: Area(rows, E), values: Area(rows, E) + Area(rows, K)))
            device.TopK(x, T, groups, E, K, columns);
    }

    /// <inheritdoc/>
    public override void SelectColumns(Floats x, Ints columns, int T, int E, int K, Target y)
    {
        using (Time(new(nameof(SelectColumns), T, E, K), flops: 0, values: 2.0 * T * K + Out(y, Area(T, K))))
            device.SelectColumns(x, columns, T, E, K, y);
    }

    /// <inheritdoc/>
    public override void ScatterColumns(Floats x, Ints columns, int T, int E, int K, Target y)
    {
        using (Time(new(nameof(ScatterColumns), T, E, K), flops: 0, values: 2.0 * T * K + Out(y, Area(T, E))))
            device.ScatterColumns(x, columns, T, E, K, y);
    }

    /// <inheritdoc/>
    public override void Assign(
        Ints experts, int T, int E, int K, int N, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets, Floats gates = default, Floats weights = default)
    {
        using (Time(new(nameof(Assign), T, E, K), flops: 0, values: Area(T, K) + 3.0 * N + E + T + gates.Length + weights.Length))
            device.Assign(experts, T, E, K, N, offsets, tokens, choices, rowsByToken, tokenOffsets, gates, weights);
    }

    /// <inheritdoc/>
    public override void RouteForward(Floats logits, bool overAll, int T, int E, int K, Ints experts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets, Floats weights)
    {
        using (Time(new(nameof(RouteForward), T, E, K), flops: Area(T, E) + 4.0 * T * (overAll ? E : K), values: Area(T, E) + 4.0 * T * K + E + T))
            device.RouteForward(logits, overAll, T, E, K, experts, offsets, tokens, rowsByToken, tokenOffsets, weights);
    }

    /// <inheritdoc/>
    public override void RouteBackward(Floats dweights, Floats logits, Floats weights, bool overAll, Ints experts, Ints rowsByToken, int T, int E, int K, Target dlogits)
    {
        using (Time(
            new(nameof(RouteBackward), T, E, K), flops: 4.0 * T * (overAll ? E : K),
            values: 4.0 * T * K + (overAll ? Area(T, E) : 0) + Out(dlogits, Area(T, E))))
            device.RouteBackward(dweights, logits, weights, overAll, experts, rowsByToken, T, E, K, dlogits);
    }

    /// <inheritdoc/>
    public override void Scatter(Floats x, Ints indices, int n, int length, Target y)
    {
        using (Time(new(nameof(Scatter), n), flops: 0, values: 2.0 * n + Out(y, length)))
            device.Scatter(x, indices, n, length, y);
    }

    // ---- Choices --------------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void CountChoices(Ints choices, int groups, int T, int K, int counted, int E, float scale, Target counts)
    {
        using (Time(new(nameof(CountChoices), groups * T, K, E), flops: 0, values: Area(groups * T, counted) + Out(counts, Area(groups, E))))
            device.CountChoices(choices, groups, T, K, counted, E, scale, counts);
    }

    /// <inheritdoc/>
    public override void KeepChoices(Ints choices, Floats keep, int n, Ints kept)
    {
        using (Time(new(nameof(KeepChoices), n), flops: 0, values: 3.0 * n))
            device.KeepChoices(choices, keep, n, kept);
    }

    /// <inheritdoc/>
    public override void LimitCapacity(Ints choices, Floats priority, int T, int E, int K, int capacity, Ints kept)
    {
        using (Time(new(nameof(LimitCapacity), T, E, K), flops: 0, values: (priority.IsNone ? 2 : 3) * Area(T, K)))
            device.LimitCapacity(choices, priority, T, E, K, capacity, kept);
    }

    /// <inheritdoc/>
    public override void ChooseTokens(Floats scores, int T, int E, int groups, bool interleaved, int active, Ints choices)
    {
        using (Time(new(nameof(ChooseTokens), T, E, groups), flops: Area(T, E), values: 2 * Area(T, E)))
            device.ChooseTokens(scores, T, E, groups, interleaved, active, choices);
    }

    /// <inheritdoc/>
    public override void LookUpChoices(Floats table, Ints ids, int T, int V, int K, Ints choices)
    {
        using (Time(new(nameof(LookUpChoices), T, K), flops: 0, values: T + 2.0 * T * K))
            device.LookUpChoices(table, ids, T, V, K, choices);
    }

    /// <inheritdoc/>
    public override void ChooseInGroups(Ints groups, Ints best, int T, int G, int M, int A, int K, Ints choices)
    {
        using (Time(new(nameof(ChooseInGroups), T, G, A * K), flops: 0, values: Area(T, A) + 2.0 * T * A * K))
            device.ChooseInGroups(groups, best, T, G, M, A, K, choices);
    }

    /// <inheritdoc/>
    public override void AssignBalanced(Floats scores, int T, int E, Ints choices)
    {
        using (Time(new(nameof(AssignBalanced), T, E), flops: Area(T, E), values: Area(T, E) + T))
            device.AssignBalanced(scores, T, E, choices);
    }

    /// <inheritdoc/>
    public override void Sinkhorn(Floats logits, int T, int E, Floats plan)
    {
        using (Time(new(nameof(Sinkhorn), T, E), flops: 4 * Area(T, E), values: 2 * Area(T, E)))
            device.Sinkhorn(logits, T, E, plan);
    }

    /// <inheritdoc/>
    public override void StepBias(Floats counts, int E, float rate, Floats bias)
    {
        using (Time(new(nameof(StepBias), E), flops: 3.0 * E, values: 3.0 * E))
            device.StepBias(counts, E, rate, bias);
    }

    // ---- Gates ----------------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void NoisyLogitsForward(Floats clean, Floats spread, Floats noise, float eps, int n, Floats sigma, Floats noisy)
    {
        using (Time(new(nameof(NoisyLogitsForward), n), flops: 4.0 * n, values: 5.0 * n))
            device.NoisyLogitsForward(clean, spread, noise, eps, n, sigma, noisy);
    }

    /// <inheritdoc/>
    public override void NoisyLogitsBackward(Floats dnoisy, Floats dsigma, Floats spread, Floats noise, int n, Target dclean, Target dspread)
    {
        using (Time(new(nameof(NoisyLogitsBackward), n), flops: 4.0 * n, values: dnoisy.Length + dsigma.Length + 2.0 * n + Out(dclean, n) + Out(dspread, n)))
            device.NoisyLogitsBackward(dnoisy, dsigma, spread, noise, n, dclean, dspread);
    }

    /// <inheritdoc/>
    public override void ShareForward(Floats x, float scale, float eps, int N, int C, Floats y)
    {
        using (Time(new(nameof(ShareForward), N, C), flops: 2.0 * N * C, values: 2.0 * N * C))
            device.ShareForward(x, scale, eps, N, C, y);
    }

    /// <inheritdoc/>
    public override void ShareBackward(Floats dy, Floats x, float scale, float eps, int N, int C, Target dx)
    {
        using (Time(new(nameof(ShareBackward), N, C), flops: 4.0 * N * C, values: 2.0 * N * C + Out(dx, Area(N, C))))
            device.ShareBackward(dy, x, scale, eps, N, C, dx);
    }

    // ---- Balance losses -------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void BalanceLossForward(Floats p, Floats shares, Floats mask, float scale, int groups, int N, int E, Floats loss)
    {
        using (Time(new(nameof(BalanceLossForward), groups, N, E), flops: 2.0 * N * E, values: Area(N, E) + Area(groups, E) + mask.Length))
            device.BalanceLossForward(p, shares, mask, scale, groups, N, E, loss);
    }

    /// <inheritdoc/>
    public override void BalanceLossBackward(Floats dloss, Floats shares, Floats mask, float scale, int groups, int N, int E, Target dp)
    {
        using (Time(new(nameof(BalanceLossBackward), groups, N, E), flops: Area(N, E), values: Area(groups, E) + mask.Length + Out(dp, Area(N, E))))
            device.BalanceLossBackward(dloss, shares, mask, scale, groups, N, E, dp);
    }

    /// <inheritdoc/>
    public override void SquaredVariationForward(Floats x, float eps, int n, Floats y)
    {
        using (Time(new(nameof(SquaredVariationForward), n), flops: 4.0 * n, values: n))
            device.SquaredVariationForward(x, eps, n, y);
    }

    /// <inheritdoc/>
    public override void SquaredVariationBackward(Floats dy, Floats x, float eps, int n, Target dx)
    {
        using (Time(new(nameof(SquaredVariationBackward), n), flops: 6.0 * n, values: n + Out(dx, n)))
            device.SquaredVariationBackward(dy, x, eps, n, dx);
    }

    /// <inheritdoc/>
    public override void SmoothLoadForward(Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int T, int E, int K, Floats load)
    {
        using (Time(new(nameof(SmoothLoadForward), T, E, K), flops: 4.0 * T * E, values: 2.0 * T * E + T * (K + 3.0) + mask.Length + E))
            device.SmoothLoadForward(clean, noisy, sigma, best, mask, T, E, K, load);
    }

    /// <inheritdoc/>
    public override void SmoothLoadBackward(
        Floats dload, Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int T, int E, int K, Target dclean, Target dnoisy, Target dsigma)
    {
        using (Time(
            new(nameof(SmoothLoadBackward), T, E, K), flops: 10.0 * T * E,
            values: 2.0 * T * E + T * (K + 3.0) + mask.Length + E + Out(dclean, Area(T, E)) + Out(dnoisy, Area(T, E)) + Out(dsigma, Area(T, E))))
            device.SmoothLoadBackward(dload, clean, noisy, sigma, best, mask, T, E, K, dclean, dnoisy, dsigma);
    }

    // ---- Dispatch and combine -------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void DispatchForward(Floats x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y)
    {
        using (Time(new(nameof(DispatchForward), N, C), flops: 0, values: Area(T, C) + N + Area(N, C)))
            device.DispatchForward(x, tokens, tokenOffsets, rowsByToken, N, T, C, y);
    }

    /// <inheritdoc/>
    public override void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Target dx)
    {
        using (Time(new(nameof(DispatchBackward), N, C), flops: Area(N, C), values: Area(N, C) + N + T + Out(dx, Area(T, C))))
            device.DispatchBackward(dy, tokenOffsets, rowsByToken, N, T, C, dx);
    }

    /// <inheritdoc/>
    public override void CombineForward(Floats x, Floats w, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y)
    {
        using (Time(new(nameof(CombineForward), N, C), flops: 2.0 * N * C, values: Area(N, C) + 2.0 * N + T + Area(T, C)))
            device.CombineForward(x, w, tokenOffsets, rowsByToken, N, T, C, y);
    }

    /// <inheritdoc/>
    public override void CombineBackward(Floats dy, Floats x, Floats w, Ints tokens, int N, int T, int C, Target dx, Target dw)
    {
        using (Time(
            new(nameof(CombineBackward), N, C), flops: 3.0 * N * C,
            values: Area(T, C) + Area(N, C) + 2.0 * N + Out(dx, Area(N, C)) + Out(dw, N)))
            device.CombineBackward(dy, x, w, tokens, N, T, C, dx, dw);
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
