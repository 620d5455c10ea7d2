using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Files;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Optim;
using TinyMoE.Tokenizers;

namespace TinyMoE.Train;

/// <summary>
/// A folder that holds a run: <c>config.json</c>, <c>model.safetensors</c> (Hugging Face's Mixtral names and orientation, and what routers
/// keep), <c>optimizer.safetensors</c> (for each tensor NAME of the model NAME.m and NAME.v), <c>state.json</c>, what the source of batches
/// keeps (of a text <c>tokenizer.json</c> and <c>labels.json</c>), and of a mixture after its first evaluation <c>routing.safetensors</c>
/// (what that saw of the routers). It is written beside, flushed and renamed: a crash at any moment leaves the one before whole.
/// </summary>
public static class Checkpoint
{
    private const string ConfigFile = "config.json";
    private const string ModelFile = "model.safetensors";
    private const string OptimizerFile = "optimizer.safetensors";
    private const string StateFile = "state.json";
    private const string RoutingFile = "routing.safetensors";

    /// <summary>Whether there is a checkpoint, finishing or undoing a save that was cut off.</summary>
    public static bool Exists(string folder)
    {
        AtomicFolder.Recover(folder);
        return File.Exists(Path.Combine(folder, ConfigFile));
    }

    /// <summary>Reads the configuration of a checkpoint.</summary>
    public static RunConfig LoadConfig(string folder) => ConfigJson.Load(Path.Combine(folder, ConfigFile));

    /// <summary>Reads the tokenizer of a checkpoint.</summary>
    public static Tokenizer LoadTokenizer(string folder) => Corpus.LoadTokenizer(folder);

    /// <summary>Reads the labels of the text that a checkpoint was trained on; null in one from before texts had labels.</summary>
    public static LabelSet? LoadLabels(string folder) => Corpus.LoadLabels(folder);

    /// <summary>Reads how many steps a checkpoint was trained.</summary>
    public static int LoadStep(string folder) => TrainingState.Load(Path.Combine(folder, StateFile)).Step;

    /// <summary>Builds the model of a checkpoint on <paramref name="backend"/>, for evaluation or generation.</summary>
    public static Decoder LoadModel(string folder, Backend backend)
    {
        Decoder model = new(backend, LoadConfig(folder), training: false);
        try
        {
            LoadWeights(Path.Combine(folder, ModelFile), model);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Writes a checkpoint of these parts, each of which writes its files into the folder that it is given.</summary>
    internal static void Save(string folder, params Action<string>[] parts) => AtomicFolder.Replace(folder, place =>
    {
        foreach (Action<string> part in parts)
            part(place);
    });

    /// <summary>The part that is a model: its configuration, its weights and what its routers keep.</summary>
    internal static Action<string> Model(Decoder model) => place =>
    {
        AtomicFile.WriteText(Path.Combine(place, ConfigFile), ConfigJson.Write(model.Config));
        SafetensorsWriter.Write(
            Path.Combine(place, ModelFile),
            [.. Items(model, "", model.Parameters.Weights), .. States(model)],
            new Dictionary<string, string> { ["format"] = "pt" });
    };

    /// <summary>The part that is an optimiser's moments.</summary>
    internal static Action<string> Moments(Decoder model, AdamW optimizer) => place => SafetensorsWriter.Write(
        Path.Combine(place, OptimizerFile),
        [.. Items(model, ".m", optimizer.FirstMoments), .. Items(model, ".v", optimizer.SecondMoments)]);

    /// <summary>The part that is the run's own state.</summary>
    internal static Action<string> State(TrainingState state) => place => state.Save(Path.Combine(place, StateFile));

    /// <summary>The part that is what the last evaluation saw of the routers.</summary>
    internal static Action<string> Routing(RoutingSnapshot routing) => place => routing.Save(Path.Combine(place, RoutingFile));

    internal static RoutingSnapshot LoadRouting(string folder) => RoutingSnapshot.Load(Path.Combine(folder, RoutingFile));

    /// <summary>Reads the state of a run that goes on with what this fingerprint names.</summary>
    internal static TrainingState LoadState(string folder, string fingerprint)
    {
        TrainingState state = TrainingState.Load(Path.Combine(folder, StateFile));
        if (state.Fingerprint != fingerprint)
        {
            throw new TinyMoEException($"The text is not the one that the run in {folder} was trained on; resume with the same --data, or "
                + "begin anew with another --out.");
        }

        return state;
    }

    /// <summary>Reads the weights and moments of a run that goes on with the configuration of <paramref name="model"/>.</summary>
    internal static void Load(string folder, Decoder model, AdamW optimizer)
    {
        RequireSame(LoadConfig(folder), model.Config, folder);
        LoadWeights(Path.Combine(folder, ModelFile), model);
        LoadBlock(Path.Combine(folder, OptimizerFile), model, ".m", optimizer.FirstMoments);
        LoadBlock(Path.Combine(folder, OptimizerFile), model, ".v", optimizer.SecondMoments);
    }

    /// <summary>
    /// A run goes on with the configuration it began with; only its last step may move, and the same text may have another path.
    /// </summary>
    private static void RequireSame(RunConfig saved, RunConfig now, string folder)
    {
        foreach ((string key, string before, string after) in ConfigKeys.Differences(saved, now))
        {
            if (key is not ("train.steps" or "data.sources"))
            {
                throw new TinyMoEException($"The run in {folder} has {key}={before}, not {after}; resume with its own configuration, or "
                    + "begin anew with another --out.");
            }
        }
    }

    /// <summary>The tensors of a file that keeps one block laid out as the weights; they take turns in one host array.</summary>
    private static IEnumerable<SafetensorsItem> Items(Decoder model, string suffix, Floats block)
    {
        Backend backend = model.Parameters.Backend;
        float[] host = new float[LargestTensor(model)];
        foreach (Parameter parameter in model.Parameters.All)
        {
            foreach ((string name, Tensors.Shape shape, int start) in parameter.FileTensors())
            {
                Floats values = block.Slice(parameter.Offset + start, shape.Count);
                yield return new SafetensorsItem(name + suffix, shape.ToArray(), () =>
                {
                    Span<float> turn = host.AsSpan(0, values.Length);
                    backend.Read(values, turn);
                    return turn;
                });
            }
        }
    }

    /// <summary>What a model keeps besides its weights.</summary>
    private static IEnumerable<SafetensorsItem> States(Decoder model) =>
        model.Parameters.States.Where(state => state.IsSaved).Select(state =>
            new SafetensorsItem(state.Name, state.Shape.ToArray(), () => model.Parameters.Backend.Read(state.Data)));

    private static int LargestTensor(Decoder model) =>
        model.Parameters.All.SelectMany(p => p.FileTensors()).Max(tensor => tensor.Shape.Count);

    private static void LoadWeights(string path, Decoder model)
    {
        StateTensor[] states = [.. model.Parameters.States.Where(state => state.IsSaved)];
        LoadBlock(path, model, others: [.. states.Select(state => state.Name)]);
        using SafetensorsReader file = SafetensorsReader.Open(path);
        foreach (StateTensor state in states)
        {
            float[] values = new float[state.Shape.Count];
            file.Read(state.Name, state.Shape.ToArray(), values);
            model.Parameters.Backend.Write<float>(values, state.Data);
        }
    }

    /// <summary>
    /// Reads the weights, or what a block of moments laid out as the weights holds; <paramref name="others"/> are names of the file that
    /// have another reader.
    /// </summary>
    private static void LoadBlock(
        string path, Decoder model, string suffix = "", Floats moments = default, IReadOnlyList<string>? others = null)
    {
        Backend backend = model.Parameters.Backend;
        using SafetensorsReader file = SafetensorsReader.Open(path);
        HashSet<string> unknown =
            [.. file.Tensors.Keys.Where(name => suffix.Length == 0 || name.EndsWith(suffix, StringComparison.Ordinal))];
        unknown.ExceptWith(others ?? []);
        float[] host = new float[LargestTensor(model)];
        foreach (Parameter parameter in model.Parameters.All)
        {
            foreach ((string name, Tensors.Shape shape, int start) in parameter.FileTensors())
            {
                Span<float> values = host.AsSpan(0, shape.Count);
                file.Read(name + suffix, shape.ToArray(), values);
                if (moments.IsNone)
                    model.Parameters.Write(parameter, start, values);
                else
                    backend.Write<float>(values, moments.Slice(parameter.Offset + start, shape.Count));
                unknown.Remove(name + suffix);
            }
        }

        if (unknown.Count > 0)
        {
            throw new TinyMoEException($"{path} has a tensor '{unknown.Order().First()}' that the model of its config.json does not have; "
                + "the two do not belong together.");
        }
    }
}
