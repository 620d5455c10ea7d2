using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Families;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Golden;

/// <summary>Whole models against PyTorch in double precision: logits, every loss, every gradient within 1e-4 relative.</summary>
public sealed class GoldenModelTests
{
    private const double Tolerance = 1e-4;

    [Theory]
    [InlineData("mixtral")]
    [InlineData("mixtral_plain")]
    [InlineData("makemoe")]
    [InlineData("nano")]
    public void Model_AgreesWithPyTorch(string name)
    {
        GoldenFile golden = GoldenFile.Load(name);
        RunConfig config = ConfigJson.Read(golden.Config, defaults: new RunConfig());
        using CpuBackend backend = new(threads: 2);
        using Decoder model = new(backend, config);
        LoadWeights(backend, model, golden);

        int[] shape = golden.Shape("ids");                       // (B, T)
        using Tape tape = backend.NewTape();
        Pass pass = new(Training: true)
        {
            FrozenRouterNoise = golden.NamesUnder("noise/").ToDictionary(int.Parse, layer => golden[$"noise/{layer}"]),
        };
        DecoderOutput output = model.Forward(tape, tape.Ints(golden.Ints("ids")), shape[0], shape[1], pass);
        Objective objective = Objective.Of(output, tape.Ints(golden.Ints("targets")));

        AssertClose(golden["logits"], output.Logits.ToArray(), "logits");
        foreach ((string part, Tensor value) in objective.Parts)
            AssertClose(golden[$"loss/{part}"], value.ToArray(), part);
        AssertClose(golden["loss/total"], objective.Total.ToArray(), "total");
        Assert.Equal(golden.NamesUnder("loss/").Where(n => n != "total").Order(), objective.Parts.Select(p => p.Name).Order());

        tape.Backward(objective.Total);
        model.Parameters.RequireGradients();
        HashSet<string> unseen = [.. golden.NamesUnder("grad/")];
        foreach (Parameter parameter in model.Parameters.All)
        {
            foreach ((string tensor, Shape tensorShape, int start) in TensorNames.Of(model.Config.Model).Of(parameter))
            {
                float[] gradient = backend.Read(parameter.Grad.Slice(start, tensorShape.Count));
                AssertClose(golden[$"grad/{tensor}"], gradient, $"gradient of {tensor}");
                unseen.Remove(tensor);
            }
        }

        Assert.Empty(unseen);
    }

    private static void LoadWeights(CpuBackend backend, Decoder model, GoldenFile golden)
    {
        foreach (Parameter parameter in model.Parameters.All)
        {
            foreach ((string tensor, Shape shape, int start) in TensorNames.Of(model.Config.Model).Of(parameter))
            {
                Assert.Equal(shape.ToArray(), golden.Shape($"param/{tensor}"));
                backend.Write<float>(golden[$"param/{tensor}"], parameter.Data.Slice(start, shape.Count));
            }
        }
    }

    /// <summary>The largest error, relative to the largest value of the tensor.</summary>
    private static void AssertClose(float[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        double scale = Math.Max(1e-3, expected.Max(v => Math.Abs((double)v)));
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs(expected[i] - (double)actual[i]) / scale;
            Assert.True(
                error <= Tolerance,
                $"{what} [{i}]: PyTorch {expected[i]:G9}, ours {actual[i]:G9} (error {error:E2} of the largest value {scale:G4})");
        }
    }
}
