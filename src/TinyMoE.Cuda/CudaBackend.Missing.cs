using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Cuda;

// TEMPORARY, while the families are being written: each one's author deletes what he implements. This file must be gone at the end.
#pragma warning disable CS1591, IDE0005
public sealed unsafe partial class CudaBackend
{
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
}
