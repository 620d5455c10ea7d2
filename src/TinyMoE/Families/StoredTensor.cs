using TinyMoE.Families.Config;
using TinyMoE.Files;
using TinyMoE.Memory;

namespace TinyMoE.Families;

/// <summary>
/// Values of one tensor as a model has it, however files keep them: as they are, in 8 bits with a scale per block, or in MXFP4.
/// </summary>
internal abstract class StoredTensor
{
    private const string BlocksEnd = "_blocks", Scales = "_scales", InverseScale = "_scale_inv";

    protected StoredTensor(SafetensorsFolder folder, SafetensorsEntry entry) => (Folder, Entry) = (folder, entry);

    /// <summary>Where its values are.</summary>
    public SafetensorsEntry Entry { get; }

    /// <summary>The names of all tensors that it is made of.</summary>
    public virtual IEnumerable<string> Names => [Entry.Name];

    /// <summary>What its values are kept in where a product can read them as they are; null: they are computed.</summary>
    public virtual ElementType? Kept => null;

    protected SafetensorsFolder Folder { get; }

    /// <summary>Whether there is a tensor of this name.</summary>
    public static bool Exists(SafetensorsFolder folder, string name) => folder.Tensors.ContainsKey(name);

    /// <summary>The tensor of a name and a shape, in MXFP4 where the name ends with _blocks.</summary>
    /// <exception cref="TinyMoEException">There is none, or it has another shape.</exception>
    public static StoredTensor Find(SafetensorsFolder folder, string name, ReadOnlySpan<int> shape, Quantization packing)
    {
        if (name.EndsWith(BlocksEnd, StringComparison.Ordinal))
        {
            int[] rows = shape[..^1].ToArray();
            int blocks = shape[^1] / Mxfp4.BlockLength;
            if (shape[^1] % Mxfp4.BlockLength != 0)
                throw new TinyMoEException($"{folder.Place}: {Excerpt.Of(name)} has rows of {shape[^1]} values, no multiple of 32");
            SafetensorsEntry packed = folder.Find(name, [.. rows, blocks, Mxfp4.BlockBytes]);
            SafetensorsEntry scales = folder.Find(name[..^BlocksEnd.Length] + Scales, [.. rows, blocks]);
            foreach (SafetensorsEntry bytes in (SafetensorsEntry[])[packed, scales])
            {
                if (bytes.Type != SafetensorsType.UInt8)
                {
                    throw new TinyMoEException($"{folder.FileOf(bytes)}: tensor {Excerpt.Of(bytes.Name)} is kept in {bytes.Type.NameOf()}, "
                        + "and MXFP4 is kept in U8; take another copy of the model");
                }
            }

            return new InMxfp4(folder, packed, scales);
        }

        SafetensorsEntry entry = folder.Find(name, shape);
        if (entry.Type != SafetensorsType.Float8E4M3 || shape.Length != 2)
            return new Plain(folder, entry);
        if (!folder.Tensors.TryGetValue(name + InverseScale, out SafetensorsEntry? scale))
        {
            return packing.BlockRows == 0 ? new Plain(folder, entry) : throw new TinyMoEException(
                $"{folder.FileOf(entry)}: tensor {Excerpt.Of(name)} is kept in F8_E4M3, and there is no {Excerpt.Of(name + InverseScale)} "
                + "with the scales of its blocks; take another copy of the model");
        }

        if (packing.BlockRows == 0)
        {
            throw new TinyMoEException(
                $"{folder.Place} has {Excerpt.Of(scale.Name)}, and its config.json has no quantization_config that says of what blocks");
        }

        return new InFloat8(folder, entry, folder.Find(scale.Name, Blocks(shape, packing)), packing);
    }

    /// <summary>Whether a tensor that nobody asked for belongs to one that is there.</summary>
    public static bool IsCompanion(SafetensorsFolder folder, string name) =>
        name.EndsWith(InverseScale, StringComparison.Ordinal) && Exists(folder, name[..^InverseScale.Length]);

    /// <summary>How many blocks a matrix has down and across.</summary>
    private static int[] Blocks(ReadOnlySpan<int> shape, Quantization packing) =>
        [Ceiling.Divide(shape[0], packing.BlockRows), Ceiling.Divide(shape[1], packing.BlockColumns)];

    /// <summary>Reads values from element <paramref name="first"/> on, widened.</summary>
    public abstract void Read(long first, Span<float> destination);

    /// <summary>As they are in the file; what has 16 bits can be read so.</summary>
    internal sealed class Plain(SafetensorsFolder folder, SafetensorsEntry entry) : StoredTensor(folder, entry)
    {
        public override ElementType? Kept => Entry.Type switch
        {
            SafetensorsType.Float32 => ElementType.Float32,
            SafetensorsType.Bfloat16 => ElementType.Bfloat16,
            SafetensorsType.Float16 => ElementType.Float16,
            _ => null,
        };

        public override void Read(long first, Span<float> destination) => Folder.Read(Entry, first, destination);
    }

    /// <summary>
    /// FP8 (out, in) with a scale per block of rows and columns, (⌈out/rows⌉, ⌈in/columns⌉): value·scale (DeepSeek-V3's files).
    /// </summary>
    internal sealed class InFloat8 : StoredTensor
    {
        private readonly string scaleName;
        private readonly float[] scales;
        private readonly int columns, blockRows, blockColumns, scaleColumns;

        public InFloat8(SafetensorsFolder folder, SafetensorsEntry entry, SafetensorsEntry scale, Quantization packing)
            : base(folder, entry)
        {
            scaleName = scale.Name;
            columns = entry.Shape[1];
            scaleColumns = scale.Shape[1];
            (blockRows, blockColumns) = (packing.BlockRows, packing.BlockColumns);
            scales = new float[scale.Count];
            folder.Read(scale, 0, scales);
        }

        public override IEnumerable<string> Names => [Entry.Name, scaleName];

        public override void Read(long first, Span<float> destination)
        {
            Folder.Read(Entry, first, destination);
            for (int i = 0; i < destination.Length;)
            {
                long at = first + i, row = at / columns, column = at % columns;
                int run = (int)Math.Min(Math.Min(blockColumns - (column % blockColumns), columns - column), destination.Length - i);
                float scale = scales[(row / blockRows * scaleColumns) + (column / blockColumns)];
                foreach (ref float value in destination.Slice(i, run))
                    value *= scale;
                i += run;
            }
        }
    }

    /// <summary>MXFP4 (rows, C): blocks of 32 values in 16 bytes, and a power of two each (GPT-OSS's files).</summary>
    internal sealed class InMxfp4(SafetensorsFolder folder, SafetensorsEntry blocks, SafetensorsEntry scales)
        : StoredTensor(folder, blocks)
    {
        public override IEnumerable<string> Names => [Entry.Name, scales.Name];

        public override void Read(long first, Span<float> destination)
        {
            long firstBlock = first / Mxfp4.BlockLength, end = (first + destination.Length + Mxfp4.BlockLength - 1) / Mxfp4.BlockLength;
            int count = (int)(end - firstBlock);
            byte[] packed = new byte[count * (Mxfp4.BlockBytes)], exponents = new byte[count];
            Folder.Read(Entry, firstBlock * (Mxfp4.BlockBytes), packed.AsSpan());
            Folder.Read(scales, firstBlock, exponents.AsSpan());
            float[] values = new float[count * Mxfp4.BlockLength];
            Mxfp4.Widen(packed, exponents, values);
            values.AsSpan((int)(first - (firstBlock * Mxfp4.BlockLength)), destination.Length).CopyTo(destination);
        }
    }
}
