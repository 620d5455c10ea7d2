using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends;

/// <summary>
/// The contract: every kernel that TinyMoE asks a device for. Arguments come as inputs, sizes, outputs; the shapes stand above each.
/// A <see cref="Target"/> is an output that is stored (y = ...) or added to (y += ...), or skipped when empty. Views never overlap unless said.
/// Letters: B batch, T time (tokens in the routing family), N rows, C channels, V vocabulary, H heads, D head size, E experts, K choices a token, F expert hidden size.
/// </summary>
public abstract class Backend : IDisposable
{
    /// <summary>The device in words, as "cpu (2 threads, 256-bit vectors)".</summary>
    public abstract string Name { get; }

    /// <summary>Device memory.</summary>
    public abstract MemoryPool Pool { get; }

    /// <summary>Frees the device's memory and threads.</summary>
    public abstract void Dispose();

    // ---- Transfer -------------------------------------------------------------------------------------------------------------------
    /// <summary>Host to device.</summary>
    public abstract void Write<T>(ReadOnlySpan<T> source, View<T> destination) where T : unmanaged;

    /// <summary>Device to host; waits for the device.</summary>
    public abstract void Read<T>(View<T> source, Span<T> destination) where T : unmanaged;

    /// <summary>Device to a new host array; waits for the device.</summary>
    public T[] Read<T>(View<T> source) where T : unmanaged
    {
        T[] values = new T[source.Length];
        Read(source, values);
        return values;
    }

    /// <summary>The offsets of a plan that <see cref="Assign"/> or <see cref="RouteForward"/> made, to the host; waits for that kernel only, and not again for the same plan. offsets, destination (E+1).</summary>
    public abstract void ReadCounts(Ints offsets, Span<int> destination);

    /// <summary>Waits until the device has done all that it was asked for.</summary>
    public abstract void Synchronize();

    /// <summary>y = value.</summary>
    public abstract void Fill(Floats y, float value);

    /// <summary>A block of columns: y[n, yStart + c] = x[n, xStart + c]. x (N, xWidth), y (N, yWidth), c &lt; C. Backs slices and concatenation.</summary>
    public abstract void CopyColumns(Floats x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y);

    // ---- Elementwise ----------------------------------------------------------------------------------------------------------------
    /// <summary>y = f(x). x, y (n).</summary>
    public abstract void UnaryForward(Unary f, Floats x, int n, Floats y);

    /// <summary>dx = dy·f'(x). x, y = f(x), dy, dx (n); a stored dx may be dy itself. ReLU needs no x: y may stand for it.</summary>
    public abstract void UnaryBackward(Unary f, Floats x, Floats y, Floats dy, int n, Target dx);

    /// <summary>y = a ∘ b. a, y (N, C); b (N, C), or (C) for every row, or (N) for every column, by <paramref name="broadcast"/>.</summary>
    public abstract void BinaryForward(Binary f, Floats a, Floats b, Broadcast broadcast, int N, int C, Floats y);

    /// <summary>da, db of y = a ∘ b; db sums over what b was broadcast to. dy, a, da (N, C); b, db as in forward.</summary>
    public abstract void BinaryBackward(Binary f, Floats dy, Floats a, Floats b, Broadcast broadcast, int N, int C, Target da, Target db);

    /// <summary>y = scale·x + shift. x, y (n); a stored y may be x itself.</summary>
    public abstract void Affine(Floats x, float scale, float shift, int n, Target y);

    // ---- bfloat16: to the nearest, ties to the even one, NaN stays NaN ----------------------------------------------------------------
    /// <summary>y = x rounded to bfloat16, in float32 memory. x, y (n); a stored y may be x itself.</summary>
    public abstract void RoundToBfloat16(Floats x, int n, Target y);

    /// <summary>y = x in 16 bits. x, y (n).</summary>
    public abstract void PackBfloat16(Floats x, int n, Bfloat16s y);

    // ---- Reductions, in a fixed order -----------------------------------------------------------------------------------------------
    /// <summary>y[c] = scale·Σ_n x[n, c]. x (N, C), y (C).</summary>
    public abstract void SumRows(Floats x, float scale, int N, int C, Target y);

    /// <summary>y[n] = scale·Σ_c x[n, c]. x (N, C), y (N).</summary>
    public abstract void SumColumns(Floats x, float scale, int N, int C, Target y);

    /// <summary>y[n, c] = scale·x[c]. x (C), y (N, C).</summary>
    public abstract void BroadcastRows(Floats x, float scale, int N, int C, Target y);

    /// <summary>y[n, c] = scale·x[n]. x (N), y (N, C).</summary>
    public abstract void BroadcastColumns(Floats x, float scale, int N, int C, Target y);

    // ---- Numbers: one-element tensors, wherever they lie, many in one pass ------------------------------------------------------------
    /// <summary>y = Σ_i weights[i]·x[i], in order. x, weights (n numbers), y (1).</summary>
    public abstract void SumNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, Target y);

    /// <summary>y[i] = weights[i]·x[i], in order: of two that have the same place the second adds. x, weights, y (n numbers).</summary>
    public abstract void ScaleNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, ReadOnlySpan<Target> y);

    // ---- Matrix products ------------------------------------------------------------------------------------------------------------
    /// <summary>c = op(a)·op(b) for each of <paramref name="batch"/> pairs, op = transpose where the flag says.
    /// a (batch, rows, inner) or transposed (batch, inner, rows); b (batch, inner, columns) or (batch, columns, inner); c (batch, rows, columns).</summary>
    public abstract void MatMul(Floats a, bool transposeA, Floats b, bool transposeB, int batch, int rows, int columns, int inner, Target c, in Epilogue epilogue = default);

    // Grouped: expert e owns rows offsets[e] to before offsets[e+1]. Rows from offsets[E] on are nobody's (dropped tokens): the result there is zero (nothing is
    // added), of an epilogue's activation too, and they count in no expert's sum.

    /// <summary>Each expert on its rows: y[n] = w[e]·x[n] for offsets[e] ≤ n &lt; offsets[e+1]. x (N, inputs), w (E, outputs, inputs), offsets (E+1), y (N, outputs).</summary>
    public abstract void GroupedMatMul(Floats x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default);

    /// <summary>dx[n] = w[e]ᵀ·dy[n], zero for nobody's. dy (N, outputs), w (E, outputs, inputs), offsets (E+1), dx (N, inputs).</summary>
    public abstract void GroupedMatMulBackwardInput(Floats dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx);

    /// <summary>dw[e] = Σ_{n of e} dy[n]·x[n]ᵀ, zero for an expert without rows. dy (N, outputs), x (N, inputs), offsets (E+1), dw (E, outputs, inputs).</summary>
    public abstract void GroupedMatMulBackwardWeight(Floats dy, Floats x, Ints offsets, int E, int N, int inputs, int outputs, Target dw);

    /// <summary>y[e] = Σ_{n of e} x[n]. x (N, C), offsets (E+1), y (E, C).</summary>
    public abstract void GroupedSum(Floats x, Ints offsets, int E, int N, int C, Target y);

    /// <summary>y[n] = x[e] for the rows n of e, zero for nobody's. x (E, C), offsets (E+1), y (N, C).</summary>
    public abstract void GroupedBroadcast(Floats x, Ints offsets, int E, int N, int C, Target y);

    // ---- Norms ----------------------------------------------------------------------------------------------------------------------
    // A norm of a sum, s = x + branch, also gives s; without a branch (empty) s is x and is not written. Its backward gets ds, the gradient of s from
    // elsewhere (or empty), and gives the whole gradient of s to x and to the branch. s may be the branch itself, and a stored dbranch ds itself.

    /// <summary>y = s·r·w, r = 1/√(mean(s²) + eps). x, branch, s, y (N, C), w (C), r (N).</summary>
    public abstract void RmsNormForward(Floats x, Floats branch, Floats w, int N, int C, float eps, Floats s, Floats y, Floats r);

    /// <summary>dy, ds, s, dx, dbranch (N, C), w, dw (C), r (N).</summary>
    public abstract void RmsNormBackward(Floats dy, Floats ds, Floats s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw);

    /// <summary>y = (s − mean)·r·w + b, r = 1/√(var(s) + eps), population variance. x, branch, s, y (N, C), w, b (C), b may be empty; mean, r (N).</summary>
    public abstract void LayerNormForward(Floats x, Floats branch, Floats w, Floats b, int N, int C, float eps, Floats s, Floats y, Floats mean, Floats r);

    /// <summary>dy, ds, s, dx, dbranch (N, C), w, dw, db (C), mean, r (N).</summary>
    public abstract void LayerNormBackward(
        Floats dy, Floats ds, Floats s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db);

    // ---- Softmax and losses ---------------------------------------------------------------------------------------------------------
    /// <summary>y = softmax of each row. x, y (N, C).</summary>
    public abstract void SoftmaxForward(Floats x, int N, int C, Floats y);

    /// <summary>y, dy, dx (N, C).</summary>
    public abstract void SoftmaxBackward(Floats dy, Floats y, int N, int C, Target dx);

    /// <summary>y[n] = log Σ_c exp(x[n, c]). x (N, C), y (N).</summary>
    public abstract void LogSumExpForward(Floats x, int N, int C, Floats y);

    /// <summary>dy, y (N), x, dx (N, C).</summary>
    public abstract void LogSumExpBackward(Floats dy, Floats x, Floats y, int N, int C, Target dx);

    /// <summary>loss = mean over rows with target ≥ 0 of −log softmax(logits)[target]; zero when no row counts. logits (N, V), targets (N), loss (1), logSumExp (N).</summary>
    public abstract void CrossEntropyForward(Floats logits, Ints targets, int N, int V, Floats loss, Floats logSumExp);

    /// <summary>dloss (1), logits, dlogits (N, V), targets, logSumExp (N).</summary>
    public abstract void CrossEntropyBackward(Floats dloss, Floats logits, Ints targets, Floats logSumExp, int N, int V, Target dlogits);

    /// <summary>The z-loss: loss = scale·Σ mask[n]·logSumExp[n]². logits (N, E), mask (N), 1 or 0, or empty for all, loss (1), logSumExp (N).</summary>
    public abstract void ZLossForward(Floats logits, Floats mask, float scale, int N, int E, Floats loss, Floats logSumExp);

    /// <summary>dloss (1), logits, dlogits (N, E), mask, logSumExp (N).</summary>
    public abstract void ZLossBackward(Floats dloss, Floats logits, Floats mask, Floats logSumExp, float scale, int N, int E, Target dlogits);

    // ---- Feed-forward, positions, attention -----------------------------------------------------------------------------------------
    /// <summary>y = silu(gate)·up. gate, up, y (n).</summary>
    public abstract void SwiGluForward(Floats gate, Floats up, int n, Floats y);

    /// <summary>dy, gate, up, dgate, dup (n), both rounded to <paramref name="precision"/>; a stored dup may be dy itself.</summary>
    public abstract void SwiGluBackward(Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup, ElementType precision = ElementType.Float32);

    /// <summary>Rotates the pairs (i, i + D/2) of every head of q and k by the angle of its position, start + t; <paramref name="inverse"/> rotates back (the backward).
    /// q, yq (B, T, H, D), k, yk (B, T, KvHeads, D), k may be empty; a stored yq may be q itself, and yk k; cos, sin (positions, D/2).</summary>
    public abstract void Rope(
        Floats q, Floats k, Floats cos, Floats sin, int B, int T, int H, int KvHeads, int D, int start, bool inverse, Target yq, Target yk);

    /// <summary>Causal softmax(q·kᵀ/√D)·v, key and value heads shared by H/KvHeads query heads; query t sees keys up to t + S − T, the last Window of them.
    /// q, y (B, T, H, D), k, v (B, S, KvHeads, D), logSumExp (B, H, T). Dropout number: ((b·H + h)·T + t)·S + s.</summary>
    public abstract void AttentionForward(Floats q, Floats k, Floats v, in AttentionSizes sizes, in Dropout dropout, Floats y, Floats logSumExp);

    /// <summary>dy, q, y, dq (B, T, H, D), k, v, dk, dv (B, S, KvHeads, D), logSumExp (B, H, T).</summary>
    public abstract void AttentionBackward(Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq, Target dk, Target dv);

    // ---- Embedding, random numbers --------------------------------------------------------------------------------------------------
    /// <summary>y[n] = table[ids[n]]. table (V, C), ids (N), y (N, C).</summary>
    public abstract void EmbeddingForward(Floats table, Ints ids, int N, int V, int C, Floats y);

    /// <summary>dtable[v] = Σ_{n: ids[n] = v} dy[n], zero for an id that does not occur. dy (N, C), ids (N), dtable (V, C).</summary>
    public abstract void EmbeddingBackward(Floats dy, Ints ids, int N, int V, int C, Target dtable);

    /// <summary>y[i] = number Part·n + i of the stream, uniform in [0, 1). y (n).</summary>
    public abstract void FillUniform(RandomKey key, int n, Floats y);

    /// <summary>y[i] = number Part·n + i of the stream, standard normal. y (n).</summary>
    public abstract void FillNormal(RandomKey key, int n, Floats y);

    /// <summary>y[i] = x[i]·(1 − width + 2·width·u) with u the uniform number Part·n + i; its own backward. x, y (n).</summary>
    public abstract void Jitter(Floats x, float width, RandomKey key, int n, Target y);

    /// <summary>y[i] = u ≥ rate ? x[i]/(1 − rate) : 0 with u the uniform number Part·n + i; its own backward. x, y (n).</summary>
    public abstract void Dropout(Floats x, in Dropout dropout, int n, Target y);

    // ---- Routing --------------------------------------------------------------------------------------------------------------------
    /// <summary>Columns of the K largest values of each group of E columns of a row, largest first, the lower column among equals, NaN below everything.
    /// x (T, groups·E), columns (T, groups·K).</summary>
    public abstract void TopK(Floats x, int T, int groups, int E, int K, Ints columns);

    /// <summary>y[t, k] = x[t, columns[t, k]], 0 where the column is −1; the backward of ScatterColumns. x (T, E), columns, y (T, K).</summary>
    public abstract void SelectColumns(Floats x, Ints columns, int T, int E, int K, Target y);

    /// <summary>y[t, e] = Σ over k with columns[t, k] = e of x[t, k], zero elsewhere, columns of −1 skipped; the backward of SelectColumns. x, columns (T, K), y (T, E).</summary>
    public abstract void ScatterColumns(Floats x, Ints columns, int T, int E, int K, Target y);

    /// <summary>
    /// Sorts choices by expert, stably. experts (T, K), −1 for a choice that was dropped. offsets (E+1): expert e owns rows offsets[e] to offsets[e+1].
    /// tokens (N): the token a row carries. choices (N): the choice t·K + k behind a row. tokenOffsets (T+1), rowsByToken (N): the inverse, token t has the rows
    /// rowsByToken[tokenOffsets[t]..tokenOffsets[t+1]]. N is T·K, or less where it is known that fewer are kept; the rows from offsets[E] to N are nobody's: token and choice −1.
    /// gates (T, K), weights (N): the gate of each row's choice, 0 for nobody's; without gates there are no weights.
    /// </summary>
    public abstract void Assign(
        Ints experts, int T, int E, int K, int N, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets, Floats gates = default, Floats weights = default);

    /// <summary>
    /// Top-k routing in one pass over the tokens: experts as TopK of the logits, the plan as Assign of the experts, and weights (N), the gate of each row:
    /// its token's softmax over the K chosen logits, or, <paramref name="overAll"/>, over all E. logits (T, E), experts (T, K).
    /// </summary>
    public abstract void RouteForward(Floats logits, bool overAll, int T, int E, int K, Ints experts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets, Floats weights);

    /// <summary>dweights, weights, rowsByToken (N), logits, dlogits (T, E), experts (T, K).</summary>
    public abstract void RouteBackward(Floats dweights, Floats logits, Floats weights, bool overAll, Ints experts, Ints rowsByToken, int T, int E, int K, Target dlogits);

    /// <summary>y[indices[i]] = x[i], zero elsewhere; indices differ from each other, but for those of −1, which are skipped. x, indices (n), y (length).</summary>
    public abstract void Scatter(Floats x, Ints indices, int n, int length, Target y);

    // ---- Choices: which experts a token is to have, −1 for one it does not get --------------------------------------------------------
    /// <summary>counts[g, e] = scale·how often e is among the first <paramref name="counted"/> choices of the tokens of group g. choices (groups, T, K), counts (groups, E).</summary>
    public abstract void CountChoices(Ints choices, int groups, int T, int K, int counted, int E, float scale, Target counts);

    /// <summary>kept = keep &gt; 0 ? choices : −1. choices, keep, kept (n); kept may be choices itself.</summary>
    public abstract void KeepChoices(Ints choices, Floats keep, int n, Ints kept);

    /// <summary>
    /// Each expert keeps <paramref name="capacity"/> of the choices that want it, the rest become −1: larger priority first, among equals (all, where there is no priority) first
    /// choices before second ones, then earlier tokens. choices, priority, kept (T, K); priority may be empty; kept is not choices.
    /// </summary>
    public abstract void LimitCapacity(Ints choices, Floats priority, int T, int E, int K, int capacity, Ints kept);

    /// <summary>
    /// Each expert takes, of each group of tokens, those with its largest scores, the earlier among equals: max(1, ⌊n·active/E⌋) of the n whose score is not below 0.
    /// Group g is the tokens g·T/groups and on, or, <paramref name="interleaved"/>, the tokens t with t mod groups = g. scores (T, E), choices (T, E): e or −1 at [t, e].
    /// </summary>
    public abstract void ChooseTokens(Floats scores, int T, int E, int groups, bool interleaved, int active, Ints choices);

    /// <summary>choices[t] = table[ids[t]], a row of K experts as numbers. table (V, K), ids (T), choices (T, K).</summary>
    public abstract void LookUpChoices(Floats table, Ints ids, int T, int V, int K, Ints choices);

    /// <summary>
    /// The experts chosen in the chosen groups, as experts of all: choices[t, a, k] = g·M + best[t, g, k], g = groups[t, a].
    /// groups (T, A), best (T, G, K) counted from 0 in each group of M experts, choices (T, A, K).
    /// </summary>
    public abstract void ChooseInGroups(Ints groups, Ints best, int T, int G, int M, int A, int K, Ints choices);

    /// <summary>
    /// One expert a token, each expert at most ⌈T'/E⌉ of the T' tokens, so that the sum of the scores is nearly the largest possible: an auction (Bertsekas 1992).
    /// A token whose first score is below −10³⁰ is not there and gets −1. scores (T, E), choices (T).
    /// </summary>
    public abstract void AssignBalanced(Floats scores, int T, int E, Ints choices);

    /// <summary>
    /// plan = diag(r)·exp(logits)·diag(c) whose rows sum to 1/T and columns to 1/E, by Sinkhorn's iteration until the mean change of c is below 10⁻⁴ (at most 100 times).
    /// A row that begins below −10³⁰ is not there: its plan is 0. logits, plan (T, E).
    /// </summary>
    public abstract void Sinkhorn(Floats logits, int T, int E, Floats plan);

    /// <summary>bias[e] += rate·sign(mean(counts) − counts[e]). counts, bias (E).</summary>
    public abstract void StepBias(Floats counts, int E, float rate, Floats bias);

    // ---- Gates ----------------------------------------------------------------------------------------------------------------------
    /// <summary>sigma = softplus(spread) + eps, noisy = clean + sigma·noise. clean, spread, noise, sigma, noisy (n).</summary>
    public abstract void NoisyLogitsForward(Floats clean, Floats spread, Floats noise, float eps, int n, Floats sigma, Floats noisy);

    /// <summary>dnoisy, dsigma, either may be empty, spread, noise, dclean, dspread (n).</summary>
    public abstract void NoisyLogitsBackward(Floats dnoisy, Floats dsigma, Floats spread, Floats noise, int n, Target dclean, Target dspread);

    /// <summary>y[n, c] = scale·x[n, c]/(Σ_c x[n, c] + eps). x, y (N, C).</summary>
    public abstract void ShareForward(Floats x, float scale, float eps, int N, int C, Floats y);

    /// <summary>dy, x, dx (N, C).</summary>
    public abstract void ShareBackward(Floats dy, Floats x, float scale, float eps, int N, int C, Target dx);

    // ---- Balance losses: a mask says 1 for a token that counts, 0 for another; empty: all count --------------------------------------
    /// <summary>loss = scale·Σ_n mask[n]·Σ_e shares[g, e]·p[n, e], g the group of n: the first of equal runs of rows is group 0. p (N, E), shares (groups, E), mask (N), loss (1).</summary>
    public abstract void BalanceLossForward(Floats p, Floats shares, Floats mask, float scale, int groups, int N, int E, Floats loss);

    /// <summary>dloss (1), shares (groups, E), mask (N), dp (N, E).</summary>
    public abstract void BalanceLossBackward(Floats dloss, Floats shares, Floats mask, float scale, int groups, int N, int E, Target dp);

    /// <summary>The squared coefficient of variation, y = var(x)/(mean(x)² + eps), population variance. x (n), y (1).</summary>
    public abstract void SquaredVariationForward(Floats x, float eps, int n, Floats y);

    /// <summary>dy (1), x, dx (n).</summary>
    public abstract void SquaredVariationBackward(Floats dy, Floats x, float eps, int n, Target dx);

    /// <summary>
    /// load[e] = Σ_t mask[t]·Φ((clean[t, e] − threshold)/sigma[t, e]); the threshold is the (K+1)-th largest of noisy[t] for one of the K largest, the K-th for another.
    /// clean, noisy, sigma (T, E), best (T, K+1), the columns of the largest of noisy, largest first, mask (T), load (E).
    /// </summary>
    public abstract void SmoothLoadForward(Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int T, int E, int K, Floats load);

    /// <summary>dload (E), clean, noisy, sigma, dclean, dnoisy, dsigma (T, E), best (T, K+1), mask (T).</summary>
    public abstract void SmoothLoadBackward(
        Floats dload, Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int T, int E, int K, Target dclean, Target dnoisy, Target dsigma);

    // ---- Dispatch and combine -------------------------------------------------------------------------------------------------------
    // A row of token −1 is nobody's: it is zero, and so is its gradient.

    /// <summary>y[n] = x[tokens[n]]. x (T, C), tokens (N), the same by token: tokenOffsets (T+1), rowsByToken (N), y (N, C).</summary>
    public abstract void DispatchForward(Floats x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y);

    /// <summary>dx[t] = Σ over the rows n of token t of dy[n]. dy (N, C), tokenOffsets (T+1), rowsByToken (N), dx (T, C).</summary>
    public abstract void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Target dx);

    /// <summary>y[t] = Σ over the rows n of token t of w[n]·x[n]. x (N, C), w (N), tokenOffsets (T+1), rowsByToken (N), y (T, C).</summary>
    public abstract void CombineForward(Floats x, Floats w, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y);

    /// <summary>dx[n] = w[n]·dy[t], dw[n] = x[n]·dy[t], t = tokens[n]. dy (T, C), x, dx (N, C), w, dw, tokens (N).</summary>
    public abstract void CombineBackward(Floats dy, Floats x, Floats w, Ints tokens, int N, int T, int C, Target dx, Target dw);

    // ---- Optimiser ------------------------------------------------------------------------------------------------------------------
    /// <summary>y = √(Σ x²), summed in double precision in a fixed order. x (n), y (1).</summary>
    public abstract void Norm(Floats x, int n, Floats y);

    /// <summary>
    /// One AdamW update of w by g, with moments m and v (Loshchilov and Hutter 2019), and a copy of the new w in bfloat16 where wanted. All (n).
    /// norm (1), the length of the whole gradient, which is shortened to the clip; empty: no clip. Where it is not finite, nothing is written.
    /// </summary>
    public abstract void AdamW(Floats g, Floats norm, in AdamWStep step, int n, Floats w, Floats m, Floats v, Bfloat16s copy = default);
}
