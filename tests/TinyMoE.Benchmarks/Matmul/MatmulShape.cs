using TinyMoE.Configuration;

namespace TinyMoE.Benchmarks;

/// <summary>
/// c = op(a)·op(b), or that for every expert with ragged <see cref="Rows"/> (or, where a is transposed, ragged <see cref="Inner"/>).
/// Of an expert, a and c are its rows and b is its weight; in the gradient of the weights c is.
/// </summary>
internal sealed record MatmulShape(string Name, int Rows, int Columns, int Inner, bool TransposeA, bool TransposeB, int[]? Offsets = null)
{
    private const string Cube = "cube";

    /// <summary>Multiplications and additions.</summary>
    public double Operations => 2.0 * Rows * Columns * Inner;

    /// <summary>Experts, or 1.</summary>
    public int E => Offsets is null ? 1 : Offsets.Length - 1;

    /// <summary>"2048x512x256 NT", with the experts where there are several.</summary>
    public string Sizes =>
        $"{Rows}x{Columns}x{Inner} {(TransposeA ? "T" : "N")}{(TransposeB ? "T" : "N")}{(Offsets is null ? "" : $" /{E}")}";

    /// <summary>Whether it is the one that the micro-kernel's own rate is compared with.</summary>
    public bool IsCube => Name == Cube;

    /// <summary>1024³, then the distinct products of a training step of each preset.</summary>
    public static IEnumerable<MatmulShape> Training(IEnumerable<string> presets) =>
        presets.SelectMany(name => TrainingStep(name, TrainingRun.ConfigOf(name)))
            .Prepend(new MatmulShape(Cube, 1024, 1024, 1024, false, false))
            .DistinctBy(shape => shape.Sizes);

    /// <summary>The products of one token's forward pass.</summary>
    public static IEnumerable<MatmulShape> Generation(string preset)
    {
        RunConfig config = TrainingRun.ConfigOf(preset);
        // A row for each expert of the token.
        int[] offsets = [.. Enumerable.Range(0, config.Moe.Experts + 1).Select(e => Math.Min(e, config.Moe.Active))];
        return Layers(config)
            .Select(layer => layer.IsGrouped
                ? new MatmulShape($"generation: {layer.Name}", config.Moe.Active, layer.Outputs, layer.Inputs, false, true, offsets)
                : new MatmulShape($"generation: {layer.Name}", 1, layer.Outputs, layer.Inputs, false, true))
            .DistinctBy(shape => shape.Sizes);
    }

    private static IEnumerable<MatmulShape> TrainingStep(string preset, RunConfig config)
    {
        int tokens = config.Train.Batch / config.Train.Accumulation * config.Model.Context, rows = tokens * config.Moe.Active;
        foreach ((string name, int inputs, int outputs, bool isGrouped) in Layers(config))
        {
            (int N, int[]? offsets) = isGrouped ? (rows, Ragged(rows, config.Moe.Experts)) : (tokens, null);
            yield return new($"{preset}: {name}", N, outputs, inputs, false, true, offsets);
            yield return new($"{preset}: {name}, backward input", N, inputs, outputs, false, false, offsets);
            yield return new($"{preset}: {name}, backward weight", outputs, inputs, N, true, false, offsets);
        }
    }

    private static IEnumerable<(string Name, int Inputs, int Outputs, bool IsGrouped)> Layers(RunConfig config)
    {
        int C = config.Model.Width, keyWidth = config.Attention.KeyWidth(C), F = config.Moe.HiddenOrDefault(C);
        yield return (keyWidth == C ? "attention q, k, v, o" : "attention q, o", C, C, false);
        if (keyWidth != C)
            yield return ("attention k, v", C, keyWidth, false);
        yield return ("router", C, config.Moe.Experts, false);
        yield return ("experts up", C, F, true);
        yield return ("experts down", F, C, true);
        yield return ("lm_head", C, config.Model.Vocabulary, false);
    }

    /// <summary>
    /// Where each expert's rows begin, when the busiest may have three times those of the idlest: as an untrained router deals them.
    /// </summary>
    private static int[] Ragged(int rows, int experts)
    {
        Random random = new(experts);
        double[] shares = [.. Enumerable.Range(0, experts).Select(_ => 0.5 + random.NextDouble())];
        double all = shares.Sum(), sum = 0;
        return [0, .. shares.Select(share => (int)Math.Round(rows * (sum += share) / all))];
    }
}
