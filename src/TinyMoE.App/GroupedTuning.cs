using System.Diagnostics;
using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Memory;
using Ints = TinyMoE.Memory.View<int>;

namespace TinyMoE.App;

/// <summary>Measures the three ways to multiply for experts on a card, beside what <c>--grouped auto</c> takes.</summary>
/// <remarks>By events on the card's stream: after a warm-up, the median of some samples, each of so many calls that it is long enough to
/// be measured. The products alone: what the host's wait for cuBLAS costs, and what a graph saves, is not in it.</remarks>
internal sealed class GroupedTuning : IDisposable
{
    private const int Samples = 5, MostCallsPerSample = 20;

    private static readonly TimeSpan SampleTime = TimeSpan.FromMilliseconds(8);

    /// <summary>Small to large.</summary>
    public static IReadOnlyList<TunedShape> Shapes { get; } =
    [
        new(8, 64, 256, 512), new(64, 256, 256, 256), new(8, 512, 256, 512), new(64, 512, 1024, 256), new(8, 1024, 512, 512),
        new(8, 2048, 512, 512), new(8, 2048, 1024, 512), new(8, 4096, 1024, 1024),
    ];

    /// <summary>Where times mean nothing.</summary>
    public static IReadOnlyList<TunedShape> TinyShapes { get; } = [new(4, 6, 8, 12), new(3, 9, 12, 8)];

    private readonly CudaBackend device;
    private readonly DeviceBuffer[] buffers;
    private readonly bool isEmulated;

    private GroupedTuning(CudaBackend device, IReadOnlyList<TunedShape> shapes, bool isEmulated)
    {
        (this.device, this.isEmulated) = (device, isEmulated);
        long rows = shapes.Max(shape => shape.Total * (long)Math.Max(shape.Inputs, shape.Outputs)),
            weights = shapes.Max(shape => shape.Weights);
        buffers = [.. new[] { rows, rows, rows, weights, weights }.Select(length => device.Pool.Rent(length * sizeof(float)))];
        foreach (DeviceBuffer buffer in buffers)
            Fill(buffer);
    }

    /// <summary>Every product of every shape in every precision of the card, each way; after <paramref name="most"/> no more.</summary>
    public static TuningReport Measure(CudaBackend device, CudaDeviceInfo info, TimeSpan most)
    {
        Stopwatch clock = Stopwatch.StartNew();
        TunedShape[] shapes = [.. (info.IsEmulated ? TinyShapes : Shapes).Where(shape => shape.Bytes < info.MemoryBytes / 4)];
        TrainPrecision[] precisions = info.HasTf32AndBfloat16 ? Enum.GetValues<TrainPrecision>() : [TrainPrecision.Float32];
        List<TunedProduct> products = [];
        List<string> notes = [];
        if (info.IsEmulated)
            notes.Add("the device is emulated: its times say nothing of a card");
        using GroupedTuning tuning = new(device, shapes, info.IsEmulated);
        foreach (TunedShape shape in shapes)
        {
            foreach (TrainPrecision precision in precisions)
            {
                if (clock.Elapsed < most)
                    products.AddRange(tuning.Measure(shape, precision));
            }
        }

        int left = shapes.Length * precisions.Length - products.Count / Enum.GetValues<ExpertProduct>().Length;
        if (left > 0)
            notes.Add($"{left} of {shapes.Length * precisions.Length} shapes were left out after {most.TotalSeconds:F0} s");
        device.Use(new CudaOptions());
        return new TuningReport(
            products, [.. precisions.Select(precision => TunedLimit.Of(precision, products))], notes, clock.Elapsed);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in buffers)
            device.Pool.Return(buffer);
        device.Synchronize();
        _ = device.Pool.FreeWaiting(); // some hundred megabytes
    }

    private IEnumerable<TunedProduct> Measure(TunedShape shape, TrainPrecision precision)
    {
        DeviceBuffer scratch = device.Pool.Rent((shape.Experts + 1) * sizeof(int));
        Ints offsets = scratch.As<int>(shape.Experts + 1);
        device.Write<int>(shape.Offsets(), offsets);
        CudaOptions options = new() { TensorCores = precision == TrainPrecision.Tf32 ? TensorCores.Tf32 : TensorCores.Off };
        bool isNarrow = precision == TrainPrecision.Bfloat16;
        foreach (ExpertProduct product in Enum.GetValues<ExpertProduct>())
        {
            TimeSpan? Time(GroupedProducts way)
            {
                if (way == GroupedProducts.Cublas && isNarrow)
                    return null; // it has no such call in bfloat16
                device.Use(options with { Grouped = way });
                return Median(() => Multiply(shape, product, isNarrow, offsets));
            }

            yield return new TunedProduct(
                precision, shape, product, Time(GroupedProducts.Own), Time(GroupedProducts.Cublas), Time(GroupedProducts.Loop),
                GroupedChoice.Of(
                    options, isNarrow, shape.Experts, shape.Total, shape.Inputs, shape.Outputs,
                    isUneven: product == ExpertProduct.WeightGradient));
        }

        device.Pool.Return(scratch);
    }

    private void Multiply(TunedShape shape, ExpertProduct product, bool isNarrow, Ints offsets)
    {
        (int E, int N, int inputs, int outputs) = (shape.Experts, shape.Total, shape.Inputs, shape.Outputs);
        ElementType type = isNarrow ? ElementType.Bfloat16 : ElementType.Float32;
        Values In(int buffer, int length) => Values.At(buffers[buffer].Address, length, type);
        Values x = In(0, N * inputs), dy = In(1, N * outputs), y = In(2, N * outputs), dx = In(2, N * inputs);
        Values w = In(3, (int)shape.Weights);
        if (product == ExpertProduct.Forward)
            device.GroupedMatMul(x, w, offsets, E, N, inputs, outputs, y);
        else if (product == ExpertProduct.InputGradient)
            device.GroupedMatMulBackwardInput(dy, w, offsets, E, N, inputs, outputs, dx);
        else
            device.GroupedMatMulBackwardWeight(
                dy, x, offsets, E, N, inputs, outputs, buffers[4].As<float>((int)shape.Weights)); // dw is float32 in either
    }

    /// <summary>Of one call, the median of the samples.</summary>
    private TimeSpan Median(Action run)
    {
        run(); // loads the kernels, and brings the offsets to the host where they are needed there
        TimeSpan once = Sample(run, 1);
        if (isEmulated)
            return once;
        int calls = (int)Math.Clamp(SampleTime / TimeSpan.FromTicks(Math.Max(1, once.Ticks)), 1, MostCallsPerSample);
        TimeSpan[] samples = [.. Enumerable.Range(0, Samples).Select(_ => Sample(run, calls)).Order()];
        return samples[Samples / 2];
    }

    private TimeSpan Sample(Action run, int calls)
    {
        IDeviceClock clock = device.Clock!;
        int before = clock.Mark();
        for (int i = 0; i < calls; i++)
            run();
        int after = clock.Mark();
        clock.Wait();
        TimeSpan time = clock.Between(before, after) / calls;
        clock.Restart();
        return time;
    }

    /// <summary>Numbers of ordinary size, whether they are read as bfloat16 or as float32.</summary>
    private void Fill(DeviceBuffer buffer)
    {
        const int Piece = 1 << 20;
        int length = (int)(buffer.Bytes / sizeof(ushort));
        Random random = new(7);
        ushort[] values = [.. Enumerable.Range(0, Math.Min(Piece, length)).Select(_ =>
            (ushort)(BitConverter.SingleToUInt32Bits((float)(2 * random.NextDouble() - 1)) >> 16))];
        View<ushort> all = buffer.As<ushort>(length);
        for (int start = 0; start < length; start += Piece)
        {
            int count = Math.Min(Piece, length - start);
            device.Write<ushort>(values.AsSpan(0, count), all.Slice(start, count));
        }
    }
}
