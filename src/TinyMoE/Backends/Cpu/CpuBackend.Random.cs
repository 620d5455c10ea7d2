using System.Numerics;
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
        ForElements(n, (key, n, y), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            Philox random = new(s.key);
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
        ForElements(n, (key, n, y), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            Philox random = new(s.key);
            Span<uint> words = stackalloc uint[WordsAtOnce];
            long first = (long)s.key.Part * s.n + start, end = first + length;
            float* y = s.y.Pointer + start;
            for (long at = first & ~1L; at < end; at += WordsAtOnce) // a pair of words makes a pair of numbers
            {
                random.Words(at, words);
                for (int pair = 0; pair < Math.Min(WordsAtOnce, end - at); pair += 2)
                {
                    long i = at + pair - first; // -1 where the run begins inside a pair
                    var (one, two) = Philox.ToNormals(words[pair], words[pair + 1]);
                    if (i >= 0)
                        y[i] = one;
                    if (i + 1 < length)
                        y[i + 1] = two;
                }
            }
        });
    }

    /// <inheritdoc/>
    public override void Dropout(Floats x, in Dropout dropout, int n, Target y)
    {
        if (y.IsNone)
            return;
        ForElements(n, (x, dropout, n, y), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            Philox random = new(s.dropout.Key);
            float* uniform = stackalloc float[WordsAtOnce];
            Vector<float> rate = new(s.dropout.Rate), scale = new(1f / (1f - s.dropout.Rate));
            for (int begin = 0; begin < length; begin += WordsAtOnce)
            {
                int count = Math.Min(WordsAtOnce, length - begin);
                Uniforms(random, (long)s.dropout.Key.Part * s.n + start + begin, count, uniform);
                float* x = s.x.Pointer + start + begin, y = s.y.View.Pointer + start + begin;
                for (int i = 0; i < count; i += Lanes.Width)
                {
                    Vector<float> kept = Vector.ConditionalSelect(Vector.GreaterThanOrEqual(Vector.Load(uniform + i), rate), Lanes.Load(x + i, count - i) * scale, Vector<float>.Zero);
                    Lanes.Write(kept, y + i, count - i, s.y.Adds);
                }
            }
        });
    }

    /// <summary>The numbers from <paramref name="index"/> on, as <see cref="Philox.Uniform"/>. y has room for a whole number of vectors.</summary>
    private static void Uniforms(in Philox random, long index, int count, float* y)
    {
        random.Words(index, MemoryMarshal.Cast<float, uint>(new Span<float>(y, count)));
        for (int i = 0; i < count; i += Lanes.Width)
        {
            Vector<int> bits = Vector.AsVectorInt32(Vector.ShiftRightLogical(Vector.Load((uint*)y + i), 8));
            Vector.Store(Vector.ConvertToSingle(bits) * (1f / (1 << 24)), y + i);
        }
    }
}
