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

    public override void Norm(Floats x, int n, Floats y) => throw new NotSupportedException();

    public override void AdamW(Floats g, Floats norm, in AdamWStep step, int n, Floats w, Floats m, Floats v, Bfloat16s copy = default) => throw new NotSupportedException();
}
