using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TinyMoE.RandomNumbers;

/// <summary>
/// Philox 4x32-10, a counter-based generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
/// Counter: (block low, block high, step, purpose·2¹⁶ + layer); key: the seed; one block gives four 32-bit words, word i of a stream
/// is word i mod 4 of block ⌊i / 4⌋.
/// </summary>
public readonly struct Philox
{
    private const uint Multiplier0 = 0xD2511F53;
    private const uint Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9;
    private const uint Weyl1 = 0xBB67AE85;
    private const int WordsAtOnce = 1024; // drawn together for a run of normal numbers

    private readonly uint key0;
    private readonly uint key1;
    private readonly uint step;
    private readonly uint place;

    /// <summary>The stream that <paramref name="key"/> names (its part is the caller's offset).</summary>
    public Philox(RandomKey key)
    {
        key0 = (uint)key.Seed;
        key1 = (uint)(key.Seed >> 32);
        step = (uint)key.Step;
        place = ((uint)key.Purpose << 16) | (ushort)key.Layer;
    }

    /// <summary>The four words of block <paramref name="block"/>.</summary>
    public (uint A, uint B, uint C, uint D) Block(long block) => Rounds((uint)block, (uint)(block >> 32), step, place, key0, key1);

    /// <summary>Word <paramref name="index"/> of the stream.</summary>
    public uint Word(long index)
    {
        (uint a, uint b, uint c, uint d) = Block(index >> 2);
        return (index & 3) switch { 0 => a, 1 => b, 2 => c, _ => d };
    }

    /// <summary>Number <paramref name="index"/>, uniform in [0, 1), a multiple of 2⁻²⁴.</summary>
    public float Uniform(long index) => ToUniform(Word(index));

    /// <summary>
    /// Number <paramref name="index"/> of the standard normal distribution: Box and Muller on the words of a block, two by two.
    /// </summary>
    public float Normal(long index)
    {
        (uint a, uint b, uint c, uint d) = Block(index >> 2);
        (uint radius, uint angle) = (index & 2) == 0 ? (a, b) : (c, d);
        (float first, float second) = ToNormals(radius, angle);
        return (index & 1) == 0 ? first : second;
    }

    /// <summary>
    /// The numbers from <paramref name="index"/> on, each as <see cref="Normal"/>: words are drawn together, and each pair is made once.
    /// </summary>
    internal void Normals(long index, Span<float> y)
    {
        Span<uint> words = stackalloc uint[WordsAtOnce];
        long end = index + y.Length;
        for (long at = index & ~1L; at < end; at += WordsAtOnce)
        {
            int count = (int)Math.Min(WordsAtOnce, end - at);
            Words(at, words[..((count + 1) / 2 * 2)]);
            for (int pair = 0; pair < count; pair += 2)
            {
                int i = (int)(at + pair - index); // -1 where the run begins inside a pair
                (float one, float two) = ToNormals(words[pair], words[pair + 1]);
                if (i >= 0)
                    y[i] = one;
                if (i + 1 < y.Length)
                    y[i + 1] = two;
            }
        }
    }

    /// <summary>A whole number in 0..<paramref name="count"/>-1, for counts far below 2³².</summary>
    public int Below(int count, long index) => (int)(((ulong)Word(index) * (uint)count) >> 32);

    /// <summary>The words from <paramref name="index"/> on, four or eight blocks at a time in vector registers.</summary>
    public void Words(long index, Span<uint> words)
    {
        const int Batch = 16;
        Span<uint> batch = stackalloc uint[Batch];
        int skipped = (int)(index & 3);
        if (skipped > 0)
        {
            FourBlocks(index >> 2, ref batch[0]);
            int head = Math.Min(Batch - skipped, words.Length);
            batch.Slice(skipped, head).CopyTo(words);
            words = words[head..];
            index += head;
        }

        if (Avx512F.IsSupported)
        {
            for (; words.Length >= 2 * Batch; words = words[(2 * Batch)..], index += 2 * Batch)
                EightBlocks(index >> 2, ref words[0]);
        }
        else if (Avx2.IsSupported)
        {
            for (; words.Length >= 2 * Batch; words = words[(2 * Batch)..], index += 2 * Batch)
                TwiceFourBlocks(index >> 2, ref words[0]);
        }

        for (; words.Length >= Batch; words = words[Batch..], index += Batch)
            FourBlocks(index >> 2, ref words[0]);
        if (words.Length > 0)
        {
            FourBlocks(index >> 2, ref batch[0]);
            batch[..words.Length].CopyTo(words);
        }
    }

    internal static float ToUniform(uint word) => (word >> 8) * (1f / (1 << 24));

    /// <summary>The two normal numbers of two words.</summary>
    internal static (float First, float Second) ToNormals(uint radiusWord, uint angleWord)
    {
        float uniform = ((radiusWord >> 8) + 1) * (1f / (1 << 24)); // in (0, 1]: its logarithm is finite
        float radius = MathF.Sqrt(-2f * MathF.Log(uniform));
        float angle = 2f * MathF.PI * ToUniform(angleWord);
        return (radius * MathF.Cos(angle), radius * MathF.Sin(angle));
    }

    internal static (uint A, uint B, uint C, uint D) Rounds(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1)
    {
        for (int round = 0; round < 10; round++)
        {
            uint high0 = (uint)(((ulong)Multiplier0 * c0) >> 32), low0 = Multiplier0 * c0;
            uint high1 = (uint)(((ulong)Multiplier1 * c2) >> 32), low1 = Multiplier1 * c2;
            (c0, c1, c2, c3) = (high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0);
            k0 += Weyl0;
            k1 += Weyl1;
        }

        return (c0, c1, c2, c3);
    }

    /// <summary>
    /// Blocks <paramref name="block"/> to +3. A 64-bit lane holds one 32-bit word of one block in its lower half;
    /// the upper half is left to hold anything, because the multiplication (32x32 bits to 64) does not look at it.
    /// </summary>
    private void FourBlocks(long block, ref uint words)
    {
        Vector256<ulong> c0 = Lanes(block), c1 = c0 >>> 32, c2 = Vector256.Create((ulong)step), c3 = Vector256.Create((ulong)place);
        Vector256<ulong> k0 = Vector256.Create((ulong)key0), k1 = Vector256.Create((ulong)key1);
        for (int round = 0; round < 10; round++)
        {
            Vector256<ulong> product0 = Multiply(c0, Multiplier0), product1 = Multiply(c2, Multiplier1);
            (c0, c1, c2, c3) = ((product1 >>> 32) ^ c1 ^ k0, product1, (product0 >>> 32) ^ c3 ^ k1, product0);
            k0 += Vector256.Create((ulong)Weyl0);
            k1 += Vector256.Create((ulong)Weyl1);
        }

        Interleave(c0, c1, c2, c3, ref words);
    }

    /// <summary>Twice <see cref="FourBlocks"/>: a round waits for its products, in which time the other four have theirs.</summary>
    private void TwiceFourBlocks(long block, ref uint words)
    {
        Vector256<ulong> a0 = Lanes(block), a1 = a0 >>> 32, a2 = Vector256.Create((ulong)step), a3 = Vector256.Create((ulong)place);
        Vector256<ulong> b0 = Lanes(block + 4), b1 = b0 >>> 32, b2 = a2, b3 = a3;
        Vector256<ulong> k0 = Vector256.Create((ulong)key0), k1 = Vector256.Create((ulong)key1);
        for (int round = 0; round < 10; round++)
        {
            Vector256<ulong> productA0 = Multiply(a0, Multiplier0), productA1 = Multiply(a2, Multiplier1);
            Vector256<ulong> productB0 = Multiply(b0, Multiplier0), productB1 = Multiply(b2, Multiplier1);
            (a0, a1, a2, a3) = ((productA1 >>> 32) ^ a1 ^ k0, productA1, (productA0 >>> 32) ^ a3 ^ k1, productA0);
            (b0, b1, b2, b3) = ((productB1 >>> 32) ^ b1 ^ k0, productB1, (productB0 >>> 32) ^ b3 ^ k1, productB0);
            k0 += Vector256.Create((ulong)Weyl0);
            k1 += Vector256.Create((ulong)Weyl1);
        }

        Interleave(a0, a1, a2, a3, ref words);
        Interleave(b0, b1, b2, b3, ref Unsafe.Add(ref words, 16));
    }

    /// <summary>Four blocks, one per lane, in the order that <see cref="Interleave"/> undoes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Lanes(long block) => Vector256.Create((ulong)block) + Vector256.Create(0UL, 2, 1, 3);

    /// <summary>Writes the four words of each of four blocks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Interleave(Vector256<ulong> c0, Vector256<ulong> c1, Vector256<ulong> c2, Vector256<ulong> c3, ref uint words)
    {
        Vector256<ulong> lower = Vector256.Create(0xFFFFFFFFUL), even = Vector256.Create(ulong.MaxValue, 0, ulong.MaxValue, 0);
        // words 0 and 1, 2 and 3, of blocks 0, 2, 1, 3
        Vector256<ulong> first = (c0 & lower) | (c1 << 32), second = (c2 & lower) | (c3 << 32);
        Vector256<ulong> firstBlocks = Vector256.ConditionalSelect(even, first, Vector256.Shuffle(second, Vector256.Create(0UL, 0, 2, 2)));
        Vector256<ulong> lastBlocks = Vector256.ConditionalSelect(even, Vector256.Shuffle(first, Vector256.Create(1UL, 1, 3, 3)), second);
        firstBlocks.AsUInt32().StoreUnsafe(ref words);
        lastBlocks.AsUInt32().StoreUnsafe(ref words, 8);
    }

    /// <summary>Blocks <paramref name="block"/> to +7, as <see cref="FourBlocks"/> in registers of twice the width.</summary>
    private void EightBlocks(long block, ref uint words)
    {
        // lanes in the order that the interleaving below undoes
        Vector512<ulong> c0 = Vector512.Create((ulong)block) + Vector512.Create(0UL, 4, 1, 5, 2, 6, 3, 7), c1 = c0 >>> 32;
        Vector512<ulong> c2 = Vector512.Create((ulong)step), c3 = Vector512.Create((ulong)place);
        Vector512<ulong> k0 = Vector512.Create((ulong)key0), k1 = Vector512.Create((ulong)key1);
        Vector512<uint> multiplier0 = Vector512.Create((ulong)Multiplier0).AsUInt32();
        Vector512<uint> multiplier1 = Vector512.Create((ulong)Multiplier1).AsUInt32();
        for (int round = 0; round < 10; round++)
        {
            Vector512<ulong> product0 = Avx512F.Multiply(c0.AsUInt32(), multiplier0);
            Vector512<ulong> product1 = Avx512F.Multiply(c2.AsUInt32(), multiplier1);
            (c0, c1, c2, c3) = ((product1 >>> 32) ^ c1 ^ k0, product1, (product0 >>> 32) ^ c3 ^ k1, product0);
            k0 += Vector512.Create((ulong)Weyl0);
            k1 += Vector512.Create((ulong)Weyl1);
        }

        Vector512<ulong> lower = Vector512.Create(0xFFFFFFFFUL);
        // words 0 and 1, 2 and 3, of blocks 0, 4, 1, 5, 2, 6, 3, 7
        Vector512<ulong> first = (c0 & lower) | (c1 << 32), second = (c2 & lower) | (c3 << 32);
        Avx512F.UnpackLow(first, second).AsUInt32().StoreUnsafe(ref words);
        Avx512F.UnpackHigh(first, second).AsUInt32().StoreUnsafe(ref words, 16);
    }

    /// <summary>The 64-bit products of the lanes' lower halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Multiply(Vector256<ulong> a, uint multiplier)
    {
        Vector256<ulong> b = Vector256.Create((ulong)multiplier);
        return Avx2.IsSupported ? Avx2.Multiply(a.AsUInt32(), b.AsUInt32()) : (a & Vector256.Create(0xFFFFFFFFUL)) * b;
    }
}
