using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Cuda;

// TEMPORARY, while the families are being written: each one's author deletes what he implements. This file must be gone at the end.
#pragma warning disable CS1591, IDE0005
public sealed unsafe partial class CudaBackend
{
    public override void UnaryForward(Unary f, Floats x, int n, Floats y) => throw new NotSupportedException();

    public override void UnaryBackward(Unary f, Floats x, Floats y, Floats dy, int n, Target dx) => throw new NotSupportedException();

    public override void BinaryForward(Binary f, Floats a, Floats b, Broadcast broadcast, int N, int C, Floats y) => throw new NotSupportedException();

    public override void BinaryBackward(Binary f, Floats dy, Floats a, Floats b, Broadcast broadcast, int N, int C, Target da, Target db) => throw new NotSupportedException();

    public override void Affine(Floats x, float scale, float shift, int n, Target y) => throw new NotSupportedException();

    public override void RoundToBfloat16(Floats x, int n, Target y) => throw new NotSupportedException();

    public override void PackBfloat16(Floats x, int n, Bfloat16s y) => throw new NotSupportedException();

    public override void SumRows(Floats x, float scale, int N, int C, Target y) => throw new NotSupportedException();

    public override void SumColumns(Floats x, float scale, int N, int C, Target y) => throw new NotSupportedException();

    public override void BroadcastRows(Floats x, float scale, int N, int C, Target y) => throw new NotSupportedException();

    public override void BroadcastColumns(Floats x, float scale, int N, int C, Target y) => throw new NotSupportedException();

    public override void RmsNormForward(Floats x, Floats branch, Floats w, int N, int C, float eps, Floats s, Floats y, Floats r) => throw new NotSupportedException();

    public override void RmsNormBackward(Floats dy, Floats ds, Floats s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw) => throw new NotSupportedException();

    public override void LayerNormForward(Floats x, Floats branch, Floats w, Floats b, int N, int C, float eps, Floats s, Floats y, Floats mean, Floats r) => throw new NotSupportedException();

    public override void LayerNormBackward( Floats dy, Floats ds, Floats s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db) => throw new NotSupportedException();

    public override void SoftmaxForward(Floats x, int N, int C, Floats y) => throw new NotSupportedException();

    public override void SoftmaxBackward(Floats dy, Floats y, int N, int C, Target dx) => throw new NotSupportedException();

    public override void LogSumExpForward(Floats x, int N, int C, Floats y) => throw new NotSupportedException();

    public override void LogSumExpBackward(Floats dy, Floats x, Floats y, int N, int C, Target dx) => throw new NotSupportedException();

    public override void CrossEntropyForward(Floats logits, Ints targets, int N, int V, Floats loss, Floats logSumExp) => throw new NotSupportedException();

    public override void CrossEntropyBackward(Floats dloss, Floats logits, Ints targets, Floats logSumExp, int N, int V, Target dlogits) => throw new NotSupportedException();

    public override void SwiGluForward(Floats gate, Floats up, int n, Floats y) => throw new NotSupportedException();

    public override void SwiGluBackward(Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup, Precision precision = Precision.Float32) => throw new NotSupportedException();

    public override void EmbeddingForward(Floats table, Ints ids, int N, int V, int C, Floats y) => throw new NotSupportedException();

    public override void EmbeddingBackward(Floats dy, Ints ids, int N, int V, int C, Target dtable) => throw new NotSupportedException();

    public override void FillUniform(RandomKey key, int n, Floats y) => throw new NotSupportedException();

    public override void FillNormal(RandomKey key, int n, Floats y) => throw new NotSupportedException();

    public override void Dropout(Floats x, in Dropout dropout, int n, Target y) => throw new NotSupportedException();

    public override void TopK(Floats x, int T, int groups, int E, int K, Ints columns) => throw new NotSupportedException();

    public override void SelectColumns(Floats x, Ints columns, int T, int E, int K, Target y) => throw new NotSupportedException();

    public override void ScatterColumns(Floats x, Ints columns, int T, int E, int K, Target y) => throw new NotSupportedException();

    public override void Assign(Ints experts, int T, int E, int K, int N, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets) => throw new NotSupportedException();

    public override void RouteForward(Floats logits, bool overAll, int T, int E, int K, Ints experts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets, Floats weights) => throw new NotSupportedException();

    public override void RouteBackward(Floats dweights, Floats logits, Floats weights, bool overAll, Ints experts, Ints rowsByToken, int T, int E, int K, Target dlogits) => throw new NotSupportedException();

    public override void Gather(Floats x, Ints indices, int n, Floats y) => throw new NotSupportedException();

    public override void Scatter(Floats x, Ints indices, int n, int length, Target y) => throw new NotSupportedException();

    public override void CountChoices(Ints choices, int groups, int T, int K, int counted, int E, float scale, Target counts) => throw new NotSupportedException();

    public override void KeepChoices(Ints choices, Floats keep, int n, Ints kept) => throw new NotSupportedException();

    public override void LimitCapacity(Ints choices, Floats priority, int T, int E, int K, int capacity, Ints kept) => throw new NotSupportedException();

    public override void ChooseTokens(Floats scores, int T, int E, int groups, bool interleaved, int active, Ints choices) => throw new NotSupportedException();

    public override void LookUpChoices(Floats table, Ints ids, int T, int V, int K, Ints choices) => throw new NotSupportedException();

    public override void ChooseInGroups(Ints groups, Ints best, int T, int G, int M, int A, int K, Ints choices) => throw new NotSupportedException();

    public override void AssignBalanced(Floats scores, int T, int E, Ints choices) => throw new NotSupportedException();

    public override void Sinkhorn(Floats logits, int T, int E, Floats plan) => throw new NotSupportedException();

    public override void StepBias(Floats counts, int E, float rate, Floats bias) => throw new NotSupportedException();

    public override void DispatchForward(Floats x, Ints tokens, int N, int T, int C, Floats y) => throw new NotSupportedException();

    public override void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Target dx) => throw new NotSupportedException();

    public override void CombineForward(Floats x, Floats w, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y) => throw new NotSupportedException();

    public override void CombineBackward(Floats dy, Floats x, Floats w, Ints tokens, int N, int T, int C, Target dx, Target dw) => throw new NotSupportedException();

    public override void Norm(Floats x, int n, Floats y) => throw new NotSupportedException();

    public override void AdamW(Floats g, Floats norm, in AdamWStep step, int n, Floats w, Floats m, Floats v, Bfloat16s copy = default) => throw new NotSupportedException();
}
