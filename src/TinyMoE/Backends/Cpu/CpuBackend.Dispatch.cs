using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>Rows by token make every sum a gather in a fixed order: one thread owns each output row.</remarks>
public sealed unsafe partial class CpuBackend
{
    private const int RowsAhead = 2; // that are asked for, as no processor foresees which rows are next: short ones, all over the memory

    /// <inheritdoc/>
    protected override void DispatchForward(Floats x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Floats y) =>
        ForRows(rows, C, new DispatchLoop(x, tokens, C, y));

    /// <inheritdoc/>
    protected override void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Target dx)
    {
        if (!dx.IsNone)
            ForRows(N, C, new SumOfRowsLoop(dy, default, tokenOffsets, rowsByToken, C, dx));
    }

    /// <inheritdoc/>
    protected override void CombineForward(Floats x, Floats gates, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Floats y) =>
        ForRows(N, C, new SumOfRowsLoop(x, gates, tokenOffsets, rowsByToken, C, y));

    /// <inheritdoc/>
    protected override void CombineBackward(
        Floats dy, Floats x, Floats gates, Ints tokens, int rows, int N, int C, Target dx, Target dgates) =>
        ForRows(rows, C, new CombineBackwardLoop(dy, x, gates, tokens, C, dx, dgates));

    /// <summary>y[r] = x[tokens[r]], or zero.</summary>
    private readonly record struct DispatchLoop(Floats X, Ints Tokens, int C, Floats Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int C = this.C;
            int* tokens = Tokens.Pointer;
            float* y = Y.Pointer + (nint)start * C;
            for (int r = start; r < end; r++, y += C)
            {
                if (tokens[r] == Dropped)
                {
                    new Span<float>(y, C).Clear();
                    continue;
                }

                float* x = X.Pointer + (nint)tokens[r] * C;
                float* ahead = X.Pointer + (nint)Math.Max(0, tokens[Math.Min(r + RowsAhead, end - 1)]) * C;
                for (int c = 0; c < C; c += TSimd.Count)
                {
                    Ask(ahead + c);
                    Ask(y + RowsAhead * C + c);
                    TSimd.Store(TSimd.Load(x + c, C - c), y + c, C - c);
                }
            }
        }
    }

    /// <summary>y[n] = or += Σ over the rows r of token n of x[r], or of gates[r]·x[r], in one pass over y.</summary>
    private readonly record struct SumOfRowsLoop(
        Floats X, Floats Gates, Ints TokenOffsets, Ints RowsByToken, int C, Target Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int C = this.C;
            bool adds = Y.Adds;
            float* x = X.Pointer, gates = Gates.Pointer, y = Y.View.Pointer + (nint)start * C;
            for (int n = start; n < end; n++, y += C)
            {
                int count = TokenOffsets.Pointer[n + 1] - TokenOffsets.Pointer[n];
                int* own = RowsByToken.Pointer + TokenOffsets.Pointer[n], next = own + count;
                int nextCount = n + 1 < end ? TokenOffsets.Pointer[n + 2] - TokenOffsets.Pointer[n + 1] : 0;
                if (count == 0)
                {
                    if (!adds)
                        new Span<float>(y, C).Clear();
                    continue;
                }

                for (int c = 0; c < C; c += TSimd.Count)
                {
                    if (c % (Caches.Line / sizeof(float)) == 0)
                    {
                        for (int j = 0; j < nextCount; j++)
                            Ask(x + (nint)next[j] * C + c);
                    }

                    int left = C - c, i = 0;
                    TVector sum;
                    if (adds)
                    {
                        sum = TSimd.Load(y + c, left);
                    }
                    else
                    {
                        sum = TSimd.Load(x + (nint)own[0] * C + c, left);
                        if (gates is not null)
                            sum = TSimd.Multiply(sum, TSimd.Broadcast(gates[own[0]]));
                        i = 1;
                    }

                    for (; i < count; i++)
                    {
                        TVector row = TSimd.Load(x + (nint)own[i] * C + c, left);
                        sum = gates is null ? TSimd.Add(sum, row) : TSimd.MultiplyAdd(row, TSimd.Broadcast(gates[own[i]]), sum);
                    }

                    TSimd.Store(sum, y + c, left);
                }
            }
        }
    }

    /// <summary>dx[r] = or += gates[r]·dy[n], dgates[r] = or += x[r]·dy[n], n = tokens[r]; of an unassigned row zero.</summary>
    private readonly record struct CombineBackwardLoop(
        Floats Dy, Floats X, Floats Gates, Ints Tokens, int C, Target Dx, Target Dgates) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int C = this.C;
            bool dxAdds = Dx.Adds, wantsGates = !Dgates.IsNone;
            for (int r = start; r < end; r++)
            {
                int n = Tokens.Pointer[r];
                if (n == Dropped)
                {
                    ClearUnlessAdds(Dx, r, C);
                    ClearUnlessAdds(Dgates, r, 1);
                    continue;
                }

                float* dy = Dy.Pointer + (nint)n * C, x = X.Pointer + (nint)r * C, dx = At(Dx, r * C);
                TVector gate = TSimd.Broadcast(Gates.Pointer[r]), dot = TSimd.Broadcast(0f);
                for (int c = 0; c < C; c += TSimd.Count)
                {
                    int left = C - c;
                    TVector dyHere = TSimd.Load(dy + c, left);
                    if (wantsGates)
                        dot = TSimd.MultiplyAdd(TSimd.Load(x + c, left), dyHere, dot);
                    if (dx is null)
                        continue;
                    TVector dxHere = dxAdds ? TSimd.MultiplyAdd(dyHere, gate, TSimd.Load(dx + c, left)) : TSimd.Multiply(dyHere, gate);
                    TSimd.Store(dxHere, dx + c, left);
                }

                if (wantsGates)
                    Write(Dgates, r, TSimd.Sum(dot));
            }
        }
    }

    /// <summary>Asks for the line of the cache at an address, whatever lies there, to have it when it is read or written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ask(float* address)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(address);
    }

    /// <summary>The gradient of an unassigned row.</summary>
    private static void ClearUnlessAdds(Target target, int r, int C)
    {
        if (!target.IsNone && !target.Adds)
            Row(target.View, r, C).Clear();
    }

    /// <summary>Row <paramref name="r"/> of a matrix with C columns.</summary>
    private static Span<float> Row(Floats matrix, int r, int C) => matrix.Slice(r * C, C).Span;
}
