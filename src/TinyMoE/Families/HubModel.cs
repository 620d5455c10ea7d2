using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Families.Config;
using TinyMoE.Files;
using TinyMoE.Layers;
using TinyMoE.Models;

namespace TinyMoE.Families;

/// <summary>
/// A model of others in a folder as Hugging Face's hubs have it: <c>config.json</c>, the weights in safetensors files, and perhaps
/// <c>generation_config.json</c>. Its weights are read where they lie, so it must stay open as long as a model that was loaded from it.
/// </summary>
public sealed class HubModel : IInitialModel
{
    private readonly Quantization packing;
    private readonly SafetensorsFolder weights;
    private readonly List<string> notes;
    private readonly Dictionary<string, byte[]> companions;

    private HubModel(
        string folder, Family family, RunConfig config, Quantization packing, GenerationDefaults generation, SafetensorsFolder weights,
        List<string> notes)
    {
        (Folder, Family, Config, Generation, this.weights, this.notes) = (folder, family, config, generation, weights, notes);
        this.packing = packing;
        companions = GenerationDefaults.Companions(folder);
        HubWeights source = NewSource();
        source.Require(Decoder.PlanStore(config));
        if (source.Idle.Count > 0)
            notes.Add($"{folder}: {source.Idle.Count} tensors are not read, as {source.Idle[0]}: they change nothing that it computes");
    }

    /// <summary>The path of the folder, as it was given.</summary>
    public string Folder { get; }

    /// <summary>The family that it is of.</summary>
    public Family Family { get; }

    /// <summary>What its config.json says, in our keys; those of training and text are of no matter.</summary>
    public RunConfig Config { get; }

    /// <summary>How its makers generate with it, and where it stops.</summary>
    public GenerationDefaults Generation { get; }

    /// <summary>What a person should know of it.</summary>
    public IReadOnlyList<string> Notes => notes;

    /// <inheritdoc/>
    string IInitialModel.Origin => $"a model of family {Family.Name}";

    /// <summary>Files that say how it is used, by name: its chat template and how its makers generate with it, as far as there.</summary>
    public IReadOnlyDictionary<string, byte[]> Companions => companions;

    /// <summary>Whether a folder looks like one of these models, and not like a run of ours.</summary>
    public static bool IsThere(string folder)
    {
        string path = Path.Combine(folder, "config.json");
        if (!File.Exists(path))
            return false;
        try
        {
            return FamilyConfig.Load(path).Has("model_type");
        }
        catch (TinyMoEException)
        {
            return false; // a run's own reader says what is wrong with it
        }
    }

    /// <summary>Opens a folder: all but the values of the weights is read and checked.</summary>
    /// <exception cref="TinyMoEException">It is no such folder, of no known family, damaged, or has what is not supported.</exception>
    public static HubModel Open(string folder)
    {
        string path = Path.Combine(folder, "config.json");
        if (!Directory.Exists(folder))
            throw new TinyMoEException($"There is no folder {folder}: give the folder of a model, with its config.json");
        if (!File.Exists(path))
            throw new TinyMoEException($"{folder} has no config.json, so it is no model of Hugging Face's; a run is named by --run");
        FamilyConfig file = FamilyConfig.Load(path);
        if (!file.Has("model_type"))
        {
            string what = file.Has("model") ? "it is a checkpoint of TinyMoE, which --run opens" : "so its family is not known";
            throw new TinyMoEException($"{path} has no model_type: {what}");
        }

        (Family family, RunConfig config, Quantization packing, IReadOnlyList<string> notes) = FamilyConfigs.Read(file);
        GenerationDefaults generation = GenerationDefaults.Read(folder, path);
        SafetensorsFolder weights = SafetensorsFolder.Open(folder);
        try
        {
            return new HubModel(folder, family, config, packing, generation, weights, [.. notes]);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Builds the model on <paramref name="backend"/>, frozen; this must outlive it.</summary>
    public Decoder LoadModel(Backend backend)
    {
        ModelSize.RequireRoomToGenerate(Config, backend, NewSource());
        return new Decoder(backend, Config, training: false, weights: NewSource());
    }

    /// <inheritdoc/>
    void IInitialModel.RequireWeights(RunConfig config) => NewSource().Require(Decoder.PlanStore(config));

    /// <inheritdoc/>
    Decoder IInitialModel.LoadInitial(Backend backend, RunConfig config) => new(backend, config, weights: NewSource());

    /// <summary>Reads all values, which must be finite.</summary>
    /// <exception cref="TinyMoEException">A file cannot be read, or holds values that are not finite.</exception>
    public void CheckValues()
    {
        const int Piece = 1 << 20; // values
        HubWeights source = NewSource();
        float[] values = new float[Piece];
        ParameterStore plan = Decoder.PlanStore(Config);
        foreach (Parameter parameter in plan.All)
        {
            for (int first = 0; first < parameter.Count; first += Math.Min(Piece, parameter.Count - first))
                source.Read(parameter, first, values.AsSpan(0, Math.Min(Piece, parameter.Count - first)));
        }

        foreach (StateTensor state in plan.States.Where(state => state.IsSaved))
            source.Read(state, new float[state.Shape.Count]);
    }

    /// <summary>The values, by our names.</summary>
    internal IWeightSource Weights => NewSource();

    /// <summary>The tensors of its files.</summary>
    internal SafetensorsFolder Files => weights;

    /// <inheritdoc/>
    public void Dispose() => weights.Dispose();

    private HubWeights NewSource()
    {
        TensorNames names = Family.Names(Config);
        return new HubWeights(weights, names, packing, name => IsIdle(name, Config));
    }

    /// <summary>
    /// Tensors that change nothing: of layers beyond the decoder's, which predict several tokens; a head that is the embedding's twin;
    /// rotary frequencies, which some old files carry; scales of a cache.
    /// </summary>
    private static bool IsIdle(string name, RunConfig config)
    {
        const string Layers = "model.layers.";
        if (name.StartsWith(Layers, StringComparison.Ordinal))
        {
            ReadOnlySpan<char> rest = name.AsSpan(Layers.Length);
            int dot = rest.IndexOf('.');
            bool predictsMore = config.Attention.Kind == AttentionKind.Latent || config.Moe.Router == RouterKind.DeepSeek;
            if (dot > 0 && int.TryParse(rest[..dot], out int layer) && layer >= config.Model.Layers && predictsMore)
                return true;
        }

        return name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal)
            || (config.Model.TieEmbeddings && name == "lm_head.weight");
    }
}
