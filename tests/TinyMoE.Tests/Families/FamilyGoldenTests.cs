using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Cuda;
using TinyMoE.Families;
using TinyMoE.Generate;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;
using TinyMoE.Tests.Cuda;

namespace TinyMoE.Tests.Families;

/// <summary>Checkpoints of others give the numbers of others: logits, hidden states, loss, greedy text; on the CPU and on CUDA.</summary>
[Collection(CudaCollection.Name)]
public sealed class FamilyGoldenTests
{
    public static TheoryData<string> Names => [.. FamilyCase.Names, .. FamilyCase.NamesByReader];

    [Theory]
    [MemberData(nameof(Names))]
    public void Model_OnTheCpu_ComputesWhatOthersCompute(string name)
    {
        using CpuBackend backend = new(threads: 2);
        Check(name, backend);
    }

    [CudaTheory]
    [MemberData(nameof(Names))]
    public void Model_OnCuda_ComputesWhatOthersCompute(string name)
    {
        using CudaBackend backend = TestDevice.NewBackend();
        Check(name, backend);
    }

    /// <summary>Every family is there at least once, so that what is read is also right.</summary>
    [Fact]
    public void EveryFamily_HasACase()
    {
        HashSet<string> tried = [.. Names.Select(name => (string)name!).Select(name =>
        {
            using HubModel model = HubModel.Open(FamilyCase.Of(name).Folder);
            return model.Family.Name;
        })];
        string[] same = ["qwen2", "qwen3", "granite"]; // their parts are those of qwen2_moe, qwen3_moe and granitemoe
        Assert.Equal(Family.All.Select(family => family.Name), tried.Concat(same).Order(StringComparer.Ordinal));
    }

    private static void Check(string name, Backend backend)
    {
        FamilyCase expected = FamilyCase.Of(name);
        using HubModel hub = HubModel.Open(expected.Folder);
        using Decoder model = hub.LoadModel(backend);
        List<float> logits = [];
        Dictionary<int, List<float>> states = [];
        double loss = 0;
        int tokens = 0;
        foreach (int[] ids in expected.Inputs)
        {
            using Tape tape = backend.NewTape(recording: false);
            TokenBatch batch = new(tape.Ints(ids), B: 1, ids.Length);
            DecoderOutput output = model.Forward(tape, batch, Pass.Inference, cache: null, lastOnly: false, (layer, state) =>
            {
                if (!states.TryGetValue(layer, out List<float>? values))
                    states.Add(layer, values = []);
                values.AddRange(state.ToArray());
            });
            logits.AddRange(output.Logits.ToArray());
            IReadOnlyList<TokenScore?> scores = new Scorer(backend, model).Score(ids);
            loss -= scores.Sum(score => score?.LogProbability ?? 0);
            tokens += ids.Length - 1;
        }

        FamilyCase.AssertClose("logits", expected.Logits, logits.ToArray());
        Assert.Equal(expected.Loss, loss / tokens, 1e-5);
        foreach ((int layer, List<float> state) in states)
        {
            if (expected.Expected($"hidden_states.{layer}") is { } hidden)
                FamilyCase.AssertClose($"hidden states {layer}", hidden, state.ToArray());
        }

        foreach (bool useCache in (bool[])[true, false])
        {
            foreach ((int[] prompt, int[] continuation) in expected.Greedy)
            {
                Generator generator = new(backend, model, useCache);
                Assert.Equal(continuation, generator.Generate(prompt, continuation.Length, new SamplingOptions { Temperature = 0 }));
            }
        }
    }
}
