using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Families;
using TinyMoE.Files;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Optim;
using TinyMoE.Tokenizers;

namespace TinyMoE.Train;

/// <summary>
/// A folder that holds a run: <c>config.json</c>, <c>model.safetensors</c> (the names of <see cref="TensorNames"/>, which are Hugging
/// Face's of Mixtral, and what routers keep), <c>optimizer.safetensors</c> (for each tensor NAME of the model that trains NAME.m and
/// NAME.v), <c>state.json</c>, what the source of batches keeps (of a text <c>tokenizer.json</c> and <c>labels.json</c>), and of a mixture
/// after its first evaluation <c>routing.safetensors</c> (what that saw of the routers). It is written beside, flushed and renamed: a crash
/// at any moment leaves the one before whole.
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
    /// <exception cref="TinyMoEException">It cannot be read, or is of a format that this version does not know.</exception>
    public static RunConfig LoadConfig(string folder)
    {
        TrainingState.RequireKnownFormat(Path.Combine(folder, StateFile));
        string path = Path.Combine(folder, ConfigFile);
        RunConfig config = ConfigJson.Load(path) with { WrittenByFormerName = [] }; // nobody wrote these by hand
        try
        {
            config.Validate();
        }
        catch (TinyMoEException e)
        {
            throw new TinyMoEException($"{path}: {e.Message}", e);
        }

        return config.Model.Vocabulary > 0 ? config
            : throw new TinyMoEException($"{path} has no vocabulary; the checkpoint is damaged, use another.");
    }

    /// <summary>Reads the tokenizer of a checkpoint.</summary>
    public static Tokenizer LoadTokenizer(string folder) => Corpus.LoadTokenizer(folder);

    /// <summary>Reads the labels of the text that a checkpoint was trained on; null in one from before texts had labels.</summary>
    public static LabelSet? LoadLabels(string folder) => Corpus.LoadLabels(folder);

    /// <summary>Reads how many steps a checkpoint was trained.</summary>
    public static int LoadStep(string folder) => TrainingState.Load(Path.Combine(folder, StateFile)).Step;

    /// <summary>Builds the model of a checkpoint on <paramref name="backend"/>, for evaluation or generation.</summary>
    public static Decoder LoadModel(string folder, Backend backend)
    {
        RunConfig config = LoadConfig(folder);
        using SafetensorsWeights weights = SafetensorsWeights.Open(Path.Combine(folder, ModelFile), TensorNames.Of(config.Model));
        Decoder model = new(backend, config, training: false, weights: weights);
        try
        {
            weights.RequireAllUsed();
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
            [.. Items(model, "", moments: default), .. States(model)],
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
        LoadMoments(Path.Combine(folder, OptimizerFile), model, ".m", optimizer.FirstMoments);
        LoadMoments(Path.Combine(folder, OptimizerFile), model, ".v", optimizer.SecondMoments);
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

    /// <summary>The tensors of a file of weights, or of the moments of those that train; they take turns in one host array.</summary>
    private static IEnumerable<SafetensorsItem> Items(Decoder model, string suffix, FlatBlock<float> moments)
    {
        ParameterStore store = model.Parameters;
        TensorNames names = TensorNames.Of(model.Config.Model);
        float[] host = new float[LargestTensor(model)];
        foreach (Parameter parameter in store.All.Where(p => moments.IsNone || !p.IsFrozen))
        {
            foreach ((string name, Tensors.Shape shape, int start) in names.Of(parameter))
            {
                yield return new SafetensorsItem(name + suffix, shape.ToArray(), () =>
                {
                    Span<float> turn = host.AsSpan(0, shape.Count);
                    if (moments.IsNone)
                        store.Read(parameter, start, turn);
                    else
                        store.Backend.Read(moments.Slice(parameter.Offset + start, shape.Count), turn);
                    return turn;
                });
            }
        }
    }

    /// <summary>What a model keeps besides its weights.</summary>
    private static IEnumerable<SafetensorsItem> States(Decoder model)
    {
        TensorNames names = TensorNames.Of(model.Config.Model);
        return model.Parameters.States.Where(state => state.IsSaved).Select(state => new SafetensorsItem(
            names.Of(state.Name), state.Shape.ToArray(), () => model.Parameters.Backend.Read(state.Data)));
    }

    private static int LargestTensor(Decoder model) =>
        model.Parameters.All.SelectMany(TensorNames.Of(model.Config.Model).Of).Max(tensor => tensor.Shape.Count);

    private static void LoadWeights(string path, Decoder model)
    {
        using SafetensorsWeights weights = SafetensorsWeights.Open(path, TensorNames.Of(model.Config.Model));
        model.Parameters.Load(weights);
        weights.RequireAllUsed();
    }

    /// <summary>Reads what a block of moments holds, laid out as the weights that train.</summary>
    private static void LoadMoments(string path, Decoder model, string suffix, FlatBlock<float> moments)
    {
        Backend backend = model.Parameters.Backend;
        TensorNames names = TensorNames.Of(model.Config.Model);
        using SafetensorsReader file = SafetensorsReader.Open(path);
        HashSet<string> unknown = [.. file.Tensors.Keys.Where(name => name.EndsWith(suffix, StringComparison.Ordinal))];
        float[] host = new float[LargestTensor(model)];
        foreach (Parameter parameter in model.Parameters.All.Where(p => !p.IsFrozen))
        {
            foreach ((string name, Tensors.Shape shape, int start) in names.Of(parameter))
            {
                Span<float> values = host.AsSpan(0, shape.Count);
                file.Read(name + suffix, shape.ToArray(), values);
                backend.Write<float>(values, moments.Slice(parameter.Offset + start, shape.Count));
                unknown.Remove(name + suffix);
            }
        }

        if (unknown.Count > 0)
            throw SafetensorsWeights.Unknown(path, unknown);
    }
}
