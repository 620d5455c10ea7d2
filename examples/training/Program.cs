// A training run through the library: text in, a model that writes out. What `tinymoe train` does, without its console.
//
//     dotnet run -c Release --project examples/training [FILE ...]
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Generate;
using TinyMoE.Inspect;
using TinyMoE.Train;

string folder = Path.Combine(Path.GetTempPath(), $"tinymoe-example-{Environment.ProcessId}");
RunConfig config = Presets.Get("mixtral-tiny")
    .With("model.layers", "2")
    .With("moe.experts", "4")
    .With("train.steps", "200")
    .With("train.eval_every", "50");
if (args.Length > 0)
    config = config with { Data = config.Data with { Sources = args } };

Corpus corpus = Corpus.Load(config.Data);
config = corpus.Complete(config);
config.Validate();

using CpuBackend backend = new();
using Trainer trainer = new(backend, config, corpus, new RunFolder(folder), new Listener());
TrainingResult result = trainer.Run();
Console.WriteLine($"best validation loss {result.BestLoss:F4}, at step {result.BestStep}");

int[] prompt = corpus.Tokenizer.Encode("The ");
IEnumerable<int> written = new Generator(backend, trainer.Model).Generate(prompt, count: 200, new SamplingOptions { Temperature = 0.7f });
Console.WriteLine(corpus.Tokenizer.Decode([.. prompt, .. written]));
Directory.Delete(folder, recursive: true);

internal sealed class Listener : ITrainingListener
{
    public void OnStart(TrainingStart start) =>
        Console.WriteLine($"{start.TotalParameters:N0} parameters, {start.ActiveParameters:N0} active for a token, on {start.Device}");

    public void OnStep(StepReport r)
    {
        if (r.Step % 25 == 0)
            Console.WriteLine($"step {r.Step,3}  loss {r.Loss:F4}");
    }

    public void OnEvaluation(EvalReport eval, IReadOnlyList<RoutingReport> routing, bool best)
    {
        Console.WriteLine($"step {eval.Step,3}  validation loss {eval.Loss:F4}, {eval.BitsPerByte:F3} bits per byte");
        foreach (RoutingReport layer in routing)
            Console.WriteLine($"          layer {layer.Layer}: load {string.Join(" ", layer.Load.Select(share => $"{share:P0}"))}");
    }

    public void OnCheckpoint(int step, string path)
    {
    }
}
