using TinyMoE.Backends.Cpu;

namespace TinyMoE.Benchmarks;

/// <summary>
/// Eight sums side by side over floats, so that no load waits for an addition: reading, and nothing else. <paramref name="length"/> is a
/// multiple of 128; <paramref name="sum"/> is one float.
/// </summary>
internal readonly unsafe struct ReadPass(float* x, long length, float* sum) : IVectorWork
{
    public void Run<TSimd, TVector>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
        float* end = x + length;
        for (float* p = x; p < end; p += 8 * TSimd.Count)
        {
            s0 = TSimd.Add(s0, TSimd.Load(p));
            s1 = TSimd.Add(s1, TSimd.Load(p + TSimd.Count));
            s2 = TSimd.Add(s2, TSimd.Load(p + 2 * TSimd.Count));
            s3 = TSimd.Add(s3, TSimd.Load(p + 3 * TSimd.Count));
            s4 = TSimd.Add(s4, TSimd.Load(p + 4 * TSimd.Count));
            s5 = TSimd.Add(s5, TSimd.Load(p + 5 * TSimd.Count));
            s6 = TSimd.Add(s6, TSimd.Load(p + 6 * TSimd.Count));
            s7 = TSimd.Add(s7, TSimd.Load(p + 7 * TSimd.Count));
        }
        s0 = TSimd.Add(TSimd.Add(TSimd.Add(s0, s1), TSimd.Add(s2, s3)), TSimd.Add(TSimd.Add(s4, s5), TSimd.Add(s6, s7)));
        *sum = TSimd.Sum(s0);
    }
}

/// <summary>Floats from one place to another by vectors; <paramref name="length"/> is a multiple of 128.</summary>
internal readonly unsafe struct CopyPass(float* x, float* y, long length) : IVectorWork
{
    public void Run<TSimd, TVector>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        float* to = y, end = x + length;
        for (float* from = x; from < end; from += 4 * TSimd.Count, to += 4 * TSimd.Count)
        {
            TVector a = TSimd.Load(from), b = TSimd.Load(from + TSimd.Count);
            TVector c = TSimd.Load(from + 2 * TSimd.Count), d = TSimd.Load(from + 3 * TSimd.Count);
            TSimd.Store(a, to);
            TSimd.Store(b, to + TSimd.Count);
            TSimd.Store(c, to + 2 * TSimd.Count);
            TSimd.Store(d, to + 3 * TSimd.Count);
        }
    }
}
