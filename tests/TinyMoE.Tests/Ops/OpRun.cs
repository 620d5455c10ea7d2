using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

/// <summary>What an op case gave on some backend.</summary>
/// <param name="Output">The values of the output.</param>
/// <param name="Dy">The gradient that went in, random, in the type of the output.</param>
/// <param name="Grads">The gradient of each input; empty for one that wants none.</param>
public sealed record OpRun(float[] Output, float[] Dy, float[][] Grads)
{
    /// <summary>
    /// Runs a case forward and backward, <paramref name="uses"/> times on one tape, and makes sure that no buffer stays out.
    /// </summary>
    public static OpRun Of(OpCase c, Backend backend, int uses = 1)
    {
        OpRun run;
        int outside = backend.Pool.LiveBuffers;
        using (Tape tape = backend.NewTape())
        {
            Tensor[] inputs = [.. c.Values().Select((values, i) =>
                c.Inputs[i].WantsGrad ? tape.Variable(c.Inputs[i].Shape, values) : tape.Constant(c.Inputs[i].Shape, values))];
            float[] output = [], dy = [];
            for (int use = 0; use < uses; use++)
            {
                Tensor y = c.Op(inputs);
                output = y.ToArray();
                Philox random = new(new RandomKey(7, RandomPurpose.Other, Step: 100));
                dy = [.. Enumerable.Range(0, y.Count).Select(i => 2 * random.Uniform(i) - 1)];
                if (y.Type == ElementType.Bfloat16)
                    dy = Array.ConvertAll(dy, Bfloat16Tests.Round);
                tape.Backward(y, dy);
            }

            run = new OpRun(output, dy, [.. inputs.Select((x, i) =>
            {
                Assert.True(!c.Inputs[i].WantsGrad || x.HasGrad, $"input {i} received no gradient");
                return x.HasGrad ? backend.Read(x.Grad) : [];
            })]);
        }

        Assert.Equal(outside, backend.Pool.LiveBuffers);
        return run;
    }

    /// <summary>No value is further from the expected one than <paramref name="tolerance"/>, relative to 1 + |expected|.</summary>
    public static void AssertClose(ReadOnlySpan<double> expected, ReadOnlySpan<float> actual, double tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs(expected[i] - actual[i]) / (1 + Math.Abs(expected[i]));
            Assert.True(
                error <= tolerance,
                $"{what} [{i}]: expected {expected[i]:G9}, got {actual[i]:G9} (error {error:E2}, allowed {tolerance:E2})");
        }
    }
}
