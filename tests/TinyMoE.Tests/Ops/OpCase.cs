using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

/// <summary>One input of an op: float values in a range, drawn once from the case's name.</summary>
/// <param name="Shape">Its shape.</param>
/// <param name="Low">Smallest value.</param>
/// <param name="High">Largest value.</param>
/// <param name="WantsGrad">False for a constant: no gradient is asked for or checked.</param>
/// <param name="IsRounded">Whether its values are rounded to bfloat16.</param>
public sealed record Operand(Shape Shape, double Low = -1, double High = 1, bool WantsGrad = true, bool IsRounded = false)
{
    public static implicit operator Operand(int size) => new((Shape)size);

    public static implicit operator Operand((int, int) sizes) => new((Shape)sizes);

    public static implicit operator Operand((int, int, int) sizes) => new((Shape)sizes);

    public static implicit operator Operand((int, int, int, int) sizes) => new((Shape)sizes);
}

/// <summary>
/// One op at one shape: from it come the comparison with a naive double-precision reference, the gradient check against central
/// differences of that reference, and the checks of accumulation, threads, memory bounds and leaks (see <see cref="OpTests{TFamily}"/>).
/// </summary>
/// <param name="Name">Op and sizes, as "RmsNorm 5x37".</param>
/// <param name="Inputs">The float inputs.</param>
/// <param name="Op">The op under test.</param>
/// <param name="Reference">The same function, naively, in double precision: values of the inputs to values of the output.</param>
/// <param name="Tolerance">Largest error relative to 1 + |expected|, of values and, five times that, of gradients.</param>
/// <param name="Smooth">What gradients are compared with where the reference has steps: the same without its rounding.</param>
/// <param name="GradientTolerance">Largest error of gradients, if not that.</param>
public sealed record OpCase(
    string Name, Operand[] Inputs, Func<Tensor[], Tensor> Op, Func<double[][], double[]> Reference, double Tolerance = 2e-5,
    Func<double[][], double[]>? Smooth = null, double? GradientTolerance = null)
{
    public override string ToString() => Name;

    /// <summary>The values of every input, the same at every call.</summary>
    public float[][] Values()
    {
        ulong seed = 0;
        foreach (char letter in Name)
            seed = seed * 31 + letter;
        return [.. Inputs.Select((input, i) =>
        {
            Philox random = new(new RandomKey(seed, RandomPurpose.Other, Step: i));
            IEnumerable<double> draws = Enumerable.Range(0, input.Shape.Count).Select(j => (double)random.Uniform(j));
            IEnumerable<float> values = draws.Select(draw => (float)(input.Low + (input.High - input.Low) * draw));
            return values.Select(value => input.IsRounded ? Bfloat16Tests.Round(value) : value).ToArray();
        })];
    }

    /// <summary>
    /// The same op on activations in bfloat16, and on weights that have values in bfloat16 beside them; other inputs, biases and weights
    /// of norms, are float32. The allowed error is that of some roundings of the result.
    /// </summary>
    /// <param name="isActivation">Which inputs are activations, by number; if not said those of more than one dimension.</param>
    /// <param name="isWeight">Which are weights; if not said none.</param>
    public OpCase InBfloat16(Func<int, bool>? isActivation = null, Func<int, bool>? isWeight = null)
    {
        isActivation ??= i => Inputs[i].Shape.Rank > 1;
        isWeight ??= _ => false;
        return this with
        {
            Name = $"{Name}, in bfloat16",
            Inputs = [.. Inputs.Select((input, i) => input with { IsRounded = isActivation(i) || isWeight(i) })],
            Op = x => Op([.. x.Select((input, i) =>
                isActivation(i) ? input.ToBfloat16() : isWeight(i) ? input.Tape.WithBfloat16(input) : input)]),
            Tolerance = 1.0 / 200,
        };
    }
}

/// <summary>A family of op cases; its test class derives from <see cref="OpTests{TFamily}"/>.</summary>
public interface IOpCases
{
    static abstract IEnumerable<OpCase> Cases { get; }
}
