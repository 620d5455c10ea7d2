using System.Runtime.InteropServices;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    private const int WordsAtOnce = 1024;

    /// <inheritdoc/>
    public override void FillUniform(RandomKey key, int n, Floats y)
    {
        ForElements(n, (key, n, y), static (start, end, in s) =>
        {
            int length = end - start;
            Philox random = StreamOf(s.key);
            float* uniform = stackalloc float[WordsAtOnce];
            for (int i = 0; i < length; i += WordsAtOnce)
            {
                int count = Math.Min(WordsAtOnce, length - i);
                Uniforms(random, (long)s.key.Part * s.n + start + i, count, uniform);
                new Span<float>(uniform, count).CopyTo(s.y.Slice(start + i, count).Span);
            }
        });
    }

    /// <inheritdoc/>
    public override void FillNormal(RandomKey key, int n, Floats y)
    {
        ForElements(n, (key, n, y), static (start, end, in s) =>
        {
            int length = end - start;
            StreamOf(s.key).Normals((long)s.key.Part * s.n + start, s.y.Slice(start, length).Span);
        });
    }

    /// <inheritdoc/>
    public override void Jitter(Floats x, float width, RandomKey key, int n, Target y)
    {
        if (!y.IsNone)
            ForElements(n, new JitterLoop(x, width, key, n, y));
    }

    /// <inheritdoc/>
    protected override void Dropout(Floats x, in Dropout dropout, int n, Target y)
    {
        if (!y.IsNone)
            ForElements(n, new DropoutLoop(x, dropout, n, y));
    }

    /// <summary>The stream of a key, at the step that lies in memory where the key says so.</summary>
    private static Philox StreamOf(RandomKey key) => new(key.StepPlace.IsNone ? key : key with { Step = key.StepPlace.Pointer[0] });

    /// <summary>The numbers from <paramref name="index"/> on, as
    /// <see cref="Philox.Uniform"/>. y has room for a whole number of vectors.</summary>
    private static void Uniforms(in Philox random, long index, int count, float* y)
    {
        random.Words(index, MemoryMarshal.Cast<float, uint>(new Span<float>(y, count)));
        Simd.Run(new WordsToUniformsLoop(y), 0, count);
    }

    private readonly record struct JitterLoop(Floats X, float Width, RandomKey Key, int Count, Target Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            Philox random = StreamOf(Key);
            float* uniform = stackalloc float[WordsAtOnce];
            bool adds = Y.Adds;
            TVector lowest = TSimd.Broadcast(1f - Width), range = TSimd.Broadcast(2f * Width);
            for (int begin = start; begin < end; begin += WordsAtOnce)
            {
                int count = Math.Min(WordsAtOnce, end - begin);
                Uniforms(random, (long)Key.Part * Count + begin, count, uniform);
                float* x = X.Pointer + begin, y = Y.View.Pointer + begin;
                for (int i = 0; i < count; i += TSimd.Count)
                {
                    TVector factor = TSimd.Add(TSimd.Multiply(TSimd.Load(uniform + i), range), lowest);
                    TSimd.Write(TSimd.Multiply(TSimd.Load(x + i, count - i), factor), y + i, count - i, adds);
                }
            }
        }
    }

    private readonly record struct DropoutLoop(Floats X, Dropout Dropout, int Count, Target Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            Philox random = StreamOf(Dropout.Key);
            float* uniform = stackalloc float[WordsAtOnce];
            bool adds = Y.Adds;
            TVector rate = TSimd.Broadcast(Dropout.Rate), scale = TSimd.Broadcast(1f / (1f - Dropout.Rate)), zero = TSimd.Broadcast(0f);
            for (int begin = start; begin < end; begin += WordsAtOnce)
            {
                int count = Math.Min(WordsAtOnce, end - begin);
                Uniforms(random, (long)Dropout.Key.Part * Count + begin, count, uniform);
                float* x = X.Pointer + begin, y = Y.View.Pointer + begin;
                for (int i = 0; i < count; i += TSimd.Count)
                {
                    TVector scaled = TSimd.Multiply(TSimd.Load(x + i, count - i), scale);
                    TSimd.Write(TSimd.WhereLess(TSimd.Load(uniform + i), rate, zero, scaled), y + i, count - i, adds);
                }
            }
        }
    }

    /// <summary>Random words become numbers in [0, 1), in place. Whole vectors.</summary>
    private readonly struct WordsToUniformsLoop(float* words) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* y = words;
            for (int i = start; i < end; i += TSimd.Count)
                TSimd.Store(TSimd.LoadFractions((uint*)y + i), y + i);
        }
    }
}
