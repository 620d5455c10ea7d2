using System.Globalization;
using TinyMoE.Configuration;
using TinyMoE.Cuda;

namespace TinyMoE.App;

/// <summary>A product of a layer's experts.</summary>
public enum ExpertProduct
{
    /// <summary>Rows by weights.</summary>
    Forward,

    /// <summary>The gradient of the rows.</summary>
    InputGradient,

    /// <summary>The gradient of the weights.</summary>
    WeightGradient,
}

/// <summary>The sizes of products of experts, whose rows differ by a few.</summary>
/// <param name="Experts">Number of experts.</param>
/// <param name="Rows">Rows of the mean expert.</param>
/// <param name="Inputs">Width of a row that comes.</param>
/// <param name="Outputs">Width of a row that goes.</param>
public sealed record TunedShape(int Experts, int Rows, int Inputs, int Outputs)
{
    /// <summary>Rows of all experts.</summary>
    public int Total => Experts * Rows;

    /// <summary>Weights of all experts.</summary>
    public long Weights => (long)Experts * Inputs * Outputs;

    /// <summary>Multiply-adds of a product per expert.</summary>
    public long Work => (long)Rows * Inputs * Outputs;

    /// <summary>Memory that it takes at most.</summary>
    internal long Bytes => sizeof(float) * (3L * Total * Math.Max(Inputs, Outputs) + 2 * Weights);

    /// <summary>Where the rows of each expert begin: as routers have it, few numbers of rows are multiples of 4.</summary>
    internal int[] Offsets()
    {
        int[] offsets = new int[Experts + 1];
        for (int e = 1; e < Experts; e++)
            offsets[e] = e * Rows + e * 7 % 5 - 2;
        offsets[Experts] = Total;
        return offsets;
    }
}

/// <summary>One product of experts, measured each way.</summary>
/// <param name="Precision">What it computes in, and for bfloat16 what its memory is in.</param>
/// <param name="Shape">Its sizes.</param>
/// <param name="Product">Which.</param>
/// <param name="Own">Time by our own kernel.</param>
/// <param name="Cublas">Time by one call of cuBLAS; null: it has no such call.</param>
/// <param name="Loop">Time by a call per expert.</param>
/// <param name="Auto">What <c>--grouped auto</c> takes.</param>
public sealed record TunedProduct(
    TrainPrecision Precision, TunedShape Shape, ExpertProduct Product, TimeSpan? Own, TimeSpan? Cublas, TimeSpan? Loop,
    GroupedProducts Auto)
{
    /// <summary>The fastest way.</summary>
    public GroupedProducts Fastest => new[] { GroupedProducts.Own, GroupedProducts.Cublas, GroupedProducts.Loop }.MinBy(
        way => TimeOf(way) ?? TimeSpan.MaxValue);

    /// <summary>Time of a way; null: it was not measured.</summary>
    public TimeSpan? TimeOf(GroupedProducts way) => way switch
    {
        GroupedProducts.Own => Own,
        GroupedProducts.Cublas => Cublas,
        _ => Loop,
    };

    /// <summary>10¹² operations per second of a way; null: it was not measured.</summary>
    public double? TeraflopsOf(GroupedProducts way) =>
        TimeOf(way) is { } time ? 2.0 * Shape.Work * Shape.Experts / Math.Max(time.TotalSeconds, 1e-9) / 1e12 : null;
}

/// <summary>Up to which size our own kernel is the fastest in the three products together, and up to which <c>--grouped auto</c> takes it.
/// </summary>
/// <param name="Precision">What is computed in.</param>
/// <param name="Fastest">Multiply-adds per expert of the largest shape up to which it is; null: of none.</param>
/// <param name="Auto">Multiply-adds per expert up to which it is taken.</param>
public sealed record TunedLimit(TrainPrecision Precision, long? Fastest, long Auto)
{
    internal static TunedLimit Of(TrainPrecision precision, IEnumerable<TunedProduct> products)
    {
        long? fastest = null;
        foreach (IGrouping<long, TunedProduct> size in
            products.Where(product => product.Precision == precision).GroupBy(product => product.Shape.Work).OrderBy(size => size.Key))
        {
            double own = size.Sum(product => product.Own!.Value.TotalSeconds);
            double cublas = size.Sum(product => Math.Min(
                product.Loop!.Value.TotalSeconds, (product.Cublas ?? TimeSpan.MaxValue).TotalSeconds));
            if (own > cublas)
                break;
            fastest = size.Key;
        }

        TensorCores cores = precision switch
        {
            TrainPrecision.Tf32 => TensorCores.Tf32,
            TrainPrecision.Bfloat16 => TensorCores.Bfloat16,
            _ => TensorCores.Off,
        };
        return new TunedLimit(precision, fastest, GroupedChoice.MostWorkOfOwn(cores));
    }

    /// <summary>In a line.</summary>
    public override string ToString()
    {
        string found = Fastest is { } work ? $"the fastest up to {Power(work)} multiply-adds per expert" : "nowhere the fastest";
        return $"{Precision.ToString().ToLowerInvariant()}: our own kernel is {found}; auto takes it up to {Power(Auto)}";
    }

    private static string Power(long work) => string.Create(CultureInfo.InvariantCulture, $"2^{Math.Log2(work):0.#}");
}

/// <summary>A report on the ways to multiply for experts.</summary>
/// <param name="Products">Every product in every precision.</param>
/// <param name="Limits">By precision, what the choice of <c>--grouped auto</c> should be.</param>
/// <param name="Notes">What is to be known besides.</param>
/// <param name="Time">How long it took.</param>
public sealed record TuningReport(
    IReadOnlyList<TunedProduct> Products, IReadOnlyList<TunedLimit> Limits, IReadOnlyList<string> Notes, TimeSpan Time);
