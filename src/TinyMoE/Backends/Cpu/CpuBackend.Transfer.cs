using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// Copies and fills, at the speed of memory.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void Write<T>(ReadOnlySpan<T> source, View<T> destination)
    {
        if (source.Length != destination.Length)
            throw new ArgumentException($"{source.Length} host elements do not match a view of {destination.Length}.");
        source.CopyTo(destination.Span);
    }

    /// <inheritdoc/>
    public override void Read<T>(View<T> source, Span<T> destination)
    {
        if (source.Length != destination.Length)
            throw new ArgumentException($"A view of {source.Length} elements does not match {destination.Length} host elements.");
        source.Span.CopyTo(destination);
    }

    /// <inheritdoc/>
    public override void ReadCounts(Ints offsets, Span<int> destination) => Read(offsets, destination);

    /// <inheritdoc/>
    public override IDeviceClock? Clock => null;

    /// <inheritdoc/>
    public override void Synchronize()
    {
        // every kernel returns when its work is done
    }

    /// <inheritdoc/>
    protected override void Fill(Floats y, float value)
    {
        ForElements(y.Length, (y, value), static (start, end, in s) =>
        {
            int length = end - start;
            s.y.Slice(start, length).Span.Fill(s.value);
        });
    }

    /// <inheritdoc/>
    protected override void CopyColumns(Floats x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y)
    {
        if (y.IsNone)
            return;
        ForRows(N, C, (x, xWidth, xStart, C, yWidth, yStart, y), static (start, end, in s) =>
        {
            for (int n = start; n < end; n++)
            {
                Span<float> x = s.x.Slice(n * s.xWidth + s.xStart, s.C).Span, y = s.y.View.Slice(n * s.yWidth + s.yStart, s.C).Span;
                if (s.y.Adds)
                    TensorPrimitives.Add<float>(y, x, y);
                else
                    x.CopyTo(y);
            }
        });
    }
    /// <inheritdoc/>
    protected override void RepeatRows(Floats x, int N, int C, int times, int yWidth, int yStart, Target y)
    {
        if (y.IsNone)
            return;
        ForRows(N, C * times, (x, C, times, yWidth, yStart, y), static (start, end, in s) =>
        {
            for (int row = start * s.times; row < end * s.times; row++)
            {
                Span<float> x = s.x.Slice(row / s.times * s.C, s.C).Span, y = s.y.View.Slice(row * s.yWidth + s.yStart, s.C).Span;
                if (s.y.Adds)
                    TensorPrimitives.Add<float>(y, x, y);
                else
                    x.CopyTo(y);
            }
        });
    }

    /// <inheritdoc/>
    protected override void SumRepeatedRows(Floats x, int xWidth, int xStart, int N, int C, int times, Target y)
    {
        if (y.IsNone)
            return;
        ForRows(N, C * times, (x, xWidth, xStart, C, times, y), static (start, end, in s) =>
        {
            for (int row = start * s.times; row < end * s.times; row++)
            {
                Span<float> x = s.x.Slice(row * s.xWidth + s.xStart, s.C).Span, y = s.y.View.Slice(row / s.times * s.C, s.C).Span;
                if (s.y.Adds || row % s.times > 0)
                    TensorPrimitives.Add<float>(y, x, y);
                else
                    x.CopyTo(y);
            }
        });
    }
}
