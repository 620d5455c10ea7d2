// What 16 bits cost: train.precision=bfloat16 against float32, seed by seed.
//
//     dotnet run -c Release --project examples/studies/precision [CONFIG]
using System.Globalization;
using TinyMoE;
using TinyMoE.Examples;

try
{
    string path = args.Length > 0 ? args[0] : Path.Combine(AppContext.BaseDirectory, "config.json");
    IReadOnlyList<VariantOutcome> variants = Study.Train(path, Console.Error);
    Study.WriteTable(
        Console.Out, variants,
        [
            ("precision", v => v.Name),
            ("validation loss", v => v.Of(run => run.Loss)),
            ("beside the first, %", v => Beside(v, variants[0])),
            ("memory of a step, MB", v => (v.Size.TrainingBytes / 1e6).ToString("F1", CultureInfo.InvariantCulture)),
            ("max violation", v => v.OfLayers(layer => layer.MaxViolation)),
        ]);
    return 0;
}
catch (TinyMoEException e)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}

// Mean of the differences of the same seed's losses, and the standard error of that mean: seeds differ by more than precisions.
static string Beside(VariantOutcome variant, VariantOutcome first)
{
    double[] differences = [.. variant.Runs.Zip(first.Runs, (run, other) => 100 * (run.Loss - other.Loss) / other.Loss)];
    double mean = differences.Average(), squares = differences.Sum(d => (d - mean) * (d - mean));
    double error = Math.Sqrt(squares / Math.Max(1, differences.Length - 1) / differences.Length);
    return string.Create(CultureInfo.InvariantCulture, $"{mean:F3} ± {error:F3}");
}
