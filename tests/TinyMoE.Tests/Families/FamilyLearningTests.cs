using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Families;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Optim;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Families;

/// <summary>Models of others train too: each family's checkpoint learns a page by heart, all of its weights.</summary>
public sealed class FamilyLearningTests
{
    private const int Steps = 80;

    public static TheoryData<string> Names => [.. FamilyCase.Names, .. FamilyCase.NamesByReader];

    [Theory]
    [MemberData(nameof(Names))]
    public void Model_OfOthers_LearnsAPageByHeart(string name)
    {
        FamilyCase given = FamilyCase.Of(name);
        using HubModel hub = HubModel.Open(given.Folder);
        using CpuBackend backend = new(threads: 2);
        using Decoder model = ((IInitialModel)hub).LoadInitial(backend, hub.Config);
        AdamW optimizer = new(model.Parameters, new TrainConfig { WeightDecay = 0, Clip = 1 });
        int[] page = given.Inputs[0];
        double first = 0, last = 0;
        for (int step = 1; step <= Steps; step++)
        {
            model.Parameters.ZeroGrad();
            using Tape tape = backend.NewTape();
            DecoderOutput output = model.Forward(
                tape, tape.Ints(page.AsSpan()[..^1]), 1, page.Length - 1, new Pass(Training: true, Seed: 1, Step: step));
            Objective objective = Objective.Of(output, tape.Ints(page.AsSpan()[1..]), hub.Config.Moe.LayerLosses);
            last = objective.Total.ToArray()[0];
            first = step == 1 ? last : first;
            tape.Backward(objective.Total);
            model.Parameters.RequireGradients();
            optimizer.Step(step, learningRate: 5e-3f);
            model.EndStep();
        }

        Assert.True(last < 0.1 && first > 2, $"the loss went from {first:F3} to {last:F3} in {Steps} steps");
    }
}
