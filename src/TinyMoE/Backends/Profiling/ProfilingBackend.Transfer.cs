using System.Runtime.CompilerServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override bool ReadsHostMemory => device?.ReadsHostMemory ?? true;

    /// <inheritdoc/>
    public override void Write<T>(ReadOnlySpan<T> source, View<T> destination)
    {
        using (Time(new(nameof(Write)), flops: 0, values: 2.0 * source.Length * Unsafe.SizeOf<T>() / sizeof(float)))
            device?.Write(source, destination);
    }

    /// <inheritdoc/>
    public override void Read<T>(View<T> source, Span<T> destination)
    {
        using (Time(new(nameof(Read)), flops: 0, values: 2.0 * source.Length * Unsafe.SizeOf<T>() / sizeof(float)))
        {
            if (device is null)
                destination.Clear();
            else
                device.Read(source, destination);
        }
    }

    /// <inheritdoc/>
    public override void ReadCounts(Ints offsets, Span<int> destination)
    {
        using (Time(new(nameof(ReadCounts)), flops: 0, values: 2.0 * offsets.Length))
        {
            if (device is null)
                ShareOut(destination);
            else
                device.ReadCounts(offsets, destination);
        }
    }

    /// <inheritdoc/>
    public override IDeviceClock? Clock => clock;

    /// <inheritdoc/>
    public override void Synchronize() => device?.Synchronize();

    /// <inheritdoc/>
    public override void Fill(Values y, float value)
    {
        using (Time(new(nameof(Fill), y.Length), flops: 0, values: In(y, y.Length)))
            device?.Fill(y, value);
    }

    /// <inheritdoc/>
    public override void CopyColumns(Values x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y)
    {
        using (Time(new(nameof(CopyColumns), N, C), flops: y.Adds ? Area(N, C) : 0, values: In(x, Area(N, C)) + Out(y, Area(N, C))))
            device?.CopyColumns(x, xWidth, xStart, N, C, yWidth, yStart, y);
    }

    /// <inheritdoc/>
    public override void RepeatRows(Values x, int N, int C, int times, int yWidth, int yStart, Target y)
    {
        double all = Area(N, C) * times;
        using (Time(new(nameof(RepeatRows), N, C, times), flops: y.Adds ? all : 0, values: y.IsNone ? 0 : In(x, Area(N, C)) + Out(y, all)))
            device?.RepeatRows(x, N, C, times, yWidth, yStart, y);
    }

    /// <inheritdoc/>
    public override void SumRepeatedRows(Values x, int xWidth, int xStart, int N, int C, int times, Target y)
    {
        double all = Area(N, C) * times;
        using (Time(
            new(nameof(SumRepeatedRows), N, C, times), flops: y.IsNone ? 0 : all, values: y.IsNone ? 0 : In(x, all) + Out(y, Area(N, C))))
            device?.SumRepeatedRows(x, xWidth, xStart, N, C, times, y);
    }

    /// <summary>Offsets of the plan that was made last, as if each expert had the same number of rows. offsets (E+1).</summary>
    private void ShareOut(Span<int> offsets)
    {
        for (int e = 0; e < offsets.Length; e++)
            offsets[e] = (int)((long)plannedRows * e / (offsets.Length - 1));
    }
}
