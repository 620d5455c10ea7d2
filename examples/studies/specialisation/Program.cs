// Three questions about experts, asked of coarse and of fine mixtures of equal work: do experts follow domain or token, when does routing
// settle, and which experts matter? Tables go to the output, pictures into a folder.
//
//     dotnet run -c Release --project examples/studies/specialisation [CONFIG [PICTURES]]
using System.Diagnostics;
using System.Globalization;
using TinyMoE;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Examples;
using TinyMoE.Examples.Specialisation;

string place = Path.Combine(Path.GetTempPath(), $"tinymoe-study-{Environment.ProcessId}");
try
{
    string path = args.Length > 0 ? args[0] : Path.Combine(AppContext.BaseDirectory, "config.json");
    StudyConfig study = StudyConfig.Load(path);
    string[] sources = DomainTexts.Write(path, Path.Combine(place, "texts"));
    RunConfig[] configs = [.. study.Variants.Select(variant => variant.Config with
    {
        Data = variant.Config.Data with { Sources = sources },
    })];
    Corpus corpus = Corpus.Load(configs[0].Data); // both kinds read the same text
    configs = [.. configs.Select(corpus.Complete)];
    foreach (RunConfig config in configs)
        config.Validate();
    List<RunFindings>[] runs = [.. configs.Select(_ => new List<RunFindings>())];
    using CpuBackend backend = new();
    foreach (ulong seed in study.Seeds)
    {
        for (int i = 0; i < configs.Length; i++)
        {
            Stopwatch watch = Stopwatch.StartNew();
            RunConfig config = configs[i] with { Train = configs[i].Train with { Seed = seed } };
            RunFindings found = Experiment.Run(backend, config, corpus, Path.Combine(place, "run"));
            runs[i].Add(found);
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{study.Variants[i].Name}, seed {seed}: validation loss {found.Losses[^1].Loss:F4}, {found.TokensPerSecond:N0} tokens/s, "
                + $"all in {watch.Elapsed.TotalSeconds:F0} s"));
        }
    }

    Mixture[] mixtures = [.. configs.Select((config, i) => new Mixture(
        study.Variants[i].Name, config.Moe.Experts, config.Moe.Active, config.Moe.Hidden, runs[i]))];
    Tables.Write(Console.Out, mixtures);
    Pictures.Write(args.Length > 1 ? args[1] : "specialisation-pictures", mixtures, corpus.Labels);
    return 0;
}
catch (TinyMoEException e)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
finally
{
    if (Directory.Exists(place))
        Directory.Delete(place, recursive: true);
}
