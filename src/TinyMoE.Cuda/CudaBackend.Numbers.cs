using System.Runtime.CompilerServices;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/numbers.cu. The places go by value, with the launch; where they are more than fit, several launches take them in order.
public sealed unsafe partial class CudaBackend
{
    private const int MostNumbers = 16; // as in numbers.cu

    /// <inheritdoc/>
    public override void SumNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, Target y)
    {
        for (int start = 0; start < x.Length && !y.IsNone; start += MostNumbers)
        {
            Numbers numbers = new(x, weights, start);
            Launch("sum_numbers", new Grid(1, Threads: 1), Argument.At(&numbers), start == 0 ? y : y with { Adds = true });
        }
    }

    /// <inheritdoc/>
    public override void ScaleNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, ReadOnlySpan<Target> y)
    {
        for (int start = 0; start < x.Length; start += MostNumbers)
        {
            Numbers numbers = new(x, weights, start);
            Places places = default;
            for (int i = 0; i < numbers.Count; i++)
                places[i] = new DeviceTarget(y[start + i].View, y[start + i].Adds);
            Launch("scale_numbers", new Grid(1, Threads: 1), Argument.At(&numbers), Argument.At(&places));
        }
    }

    /// <summary>struct Numbers of numbers.cu.</summary>
    private struct Numbers
    {
        private Addresses x;
        private Factors weights;

        public Numbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, int start)
        {
            Count = Math.Min(MostNumbers, x.Length - start);
            for (int i = 0; i < Count; i++)
                (this.x[i], this.weights[i]) = (x[start + i].Address, weights[start + i]);
        }

        public int Count { get; }
    }

    [InlineArray(MostNumbers)]
    private struct Addresses
    {
        private nint first;
    }

    [InlineArray(MostNumbers)]
    private struct Factors
    {
        private float first;
    }

    /// <summary>struct Places of numbers.cu.</summary>
    [InlineArray(MostNumbers)]
    private struct Places
    {
        private DeviceTarget first;
    }
}
