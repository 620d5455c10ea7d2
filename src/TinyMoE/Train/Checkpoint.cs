using Microsoft.Win32.SafeHandles;
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
using TinyMoE.Tensors;
using TinyMoE.Tokenizers;

namespace TinyMoE.Train;

/// <summary>
/// A checkpoint that is open for reading: <c>config.json</c>, <c>model.safetensors</c> (the names of <see cref="TensorNames"/>, which are
/// Hugging Face's of Mixtral, and what routers keep), <c>optimizer.safetensors</c> (for each tensor NAME of the model that trains NAME.m
/// and NAME.v), <c>state.json</c>, what the source of batches keeps (of a text <c>tokenizer.json</c> and <c>labels.json</c>), of a mixture
/// after its first evaluation <c>routing.safetensors</c> (what that saw of the routers), and <c>SHA256SUMS</c>, the checksums of all.
/// Opened, it is a snapshot: whatever a training writes into the folder meanwhile, all that is read is of one step. Every file that is read
/// is compared with its checksum. <see cref="CheckpointWriter"/> writes it.
/// </summary>
public sealed class Checkpoint : IInitialModel
{
    private const long LargestText = 1 << 28;
    private const int Attempts = 20;
    private const string Damaged = "the checkpoint is damaged: use another, or move it away, and its run goes on from the other one.";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    private readonly Dictionary<string, SafeFileHandle> files = [];
    private readonly Dictionary<string, byte[]> texts = [];
    private readonly List<string> notes = [];
    private Checksums? sums;
    private string? stranger; // a file that the list should have and has not

    private Checkpoint(string folder) => Folder = folder;

    /// <summary>The path of the folder, as it was given.</summary>
    public string Folder { get; }

    /// <summary>The configuration that was trained, validated.</summary>
    public RunConfig Config { get; private set; } = new();

    /// <summary>How many steps it was trained.</summary>
    public int Step => State.Step;

    /// <inheritdoc/>
    string IInitialModel.Origin => $"step {Step}";

    /// <summary>Files that say how the model is used, by name; none of one that was trained from nothing.</summary>
    public IReadOnlyDictionary<string, byte[]> Companions => texts.Where(text => RunFiles.Companions.Contains(text.Key)).ToDictionary();

    /// <summary>What a person should know of the files, such as one that was not written by a training.</summary>
    public IReadOnlyList<string> Notes => notes;

    /// <summary>The state of the run.</summary>
    internal TrainingState State { get; private set; } = TrainingState.New("");

    /// <summary>Whether it is a model of others that was imported: without moments, and perhaps without a tokenizer.</summary>
    internal bool IsImported => State.Fingerprint == ImportedRun.Fingerprint;

    /// <summary>Whether it has checksums, as all have from format 2 on.</summary>
    internal bool HasChecksums => sums is not null;

    /// <summary>Whether a folder is a checkpoint.</summary>
    public static bool Exists(string folder) => RunFiles.IsCheckpoint(AtomicFolder.Find(folder));

    /// <summary>
    /// Whether a folder is a checkpoint, or what is left of one: it holds a file of its names, or cannot be looked into. To open it says
    /// what is wrong.
    /// </summary>
    internal static bool IsThere(string folder)
    {
        string place = AtomicFolder.Find(folder);
        try
        {
            IEnumerable<string> own = RunFiles.OfCheckpoint.Append(RunFiles.Sums);
            return Directory.Exists(place) && Directory.EnumerateFiles(place).Select(file => Path.GetFileName(file)).Any(own.Contains);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            return true;
        }
    }

    /// <summary>Whether a file in a checkpoint's folder is one that the checkpoint is made of, and not somebody else's.</summary>
    internal static bool IsOwn(string file)
    {
        string name = Path.GetFileName(file);
        return name == RunFiles.Sums || RunFiles.OfCheckpoint.Contains(name)
            || (Checksums.TryReadFile(Path.GetDirectoryName(file)!) is { } list && Checksums.Read(list, file)[name] is not null);
    }

    /// <summary>Opens a checkpoint: its files as they are at one moment, all but its weights read and compared with checksums.</summary>
    /// <exception cref="TinyMoEException">There is none, a file is missing, damaged or not its own, or its format is too new.</exception>
    public static Checkpoint Open(string folder)
    {
        for (int attempt = 1; ; attempt++)
        {
            Checkpoint checkpoint = new(folder);
            try
            {
                bool isWhole = checkpoint.TryOpenFiles(out string? missing);
                if (!isWhole && attempt < Attempts)
                {
                    checkpoint.Dispose();
                    Thread.Sleep(Pause);
                    continue;
                }

                if (missing is not null)
                    throw new TinyMoEException($"{checkpoint.PathOf(missing)} is missing; {Damaged}");
                checkpoint.ReadTexts();
                return checkpoint;
            }
            catch (Exception e)
            {
                checkpoint.Dispose();
                if (FileProblem.Is(e))
                    throw new TinyMoEException($"Cannot read the checkpoint {folder}: {FileProblem.Reason(e)}.", e);
                throw;
            }
        }
    }

    /// <summary>
    /// Opens the files of a checkpoint, whatever is wrong with them; the names of those that are missing, and of those that differ.
    /// </summary>
    internal static (IReadOnlyList<string> Missing, IReadOnlyList<string> Different) Compare(string folder)
    {
        using Checkpoint checkpoint = new(folder);
        _ = checkpoint.TryOpenFiles(out _);
        IEnumerable<string> names = checkpoint.sums?.Names ?? [];
        return ([.. names.Except(checkpoint.files.Keys)], [.. names.Where(name => checkpoint.Has(name) && !checkpoint.Matches(name))]);
    }

    /// <summary>Reads the tokenizer.</summary>
    /// <exception cref="TinyMoEException">It is none, or not the model's.</exception>
    public Tokenizer LoadTokenizer()
    {
        string path = PathOf(RunFiles.Tokenizer);
        if (IsImported && !Has(RunFiles.Tokenizer))
            throw new TinyMoEException($"{Folder} has no tokenizer: the model that it was imported from came without one");
        Tokenizer tokenizer = Tokenizer.Read(Text(RunFiles.Tokenizer), path, TokenizerType.All);
        return tokenizer.Vocabulary <= Config.Model.Vocabulary ? tokenizer : throw new TinyMoEException(
            $"{path} has {tokenizer.Vocabulary} symbols and model.vocabulary={Config.Model.Vocabulary} in {PathOf(RunFiles.Config)}; the "
            + "two do not belong together.");
    }

    /// <summary>Reads the labels of the text that it was trained on; null in one from before texts had labels.</summary>
    /// <exception cref="TinyMoEException">They are none, or not the model's.</exception>
    public LabelSet? LoadLabels()
    {
        if (!texts.TryGetValue(RunFiles.Labels, out byte[]? text))
            return null;
        LabelSet labels = LabelSet.Read(text, PathOf(RunFiles.Labels));
        return !Config.Moe.RoutesByLabel || labels.Count <= Config.Moe.Tasks ? labels : throw new TinyMoEException(
            $"{PathOf(RunFiles.Labels)} has {labels.Count} labels and moe.tasks={Config.Moe.Tasks} in {PathOf(RunFiles.Config)}; the "
            + "two do not belong together.");
    }

    /// <summary>Builds the model on <paramref name="backend"/>, for evaluation or generation.</summary>
    public Decoder LoadModel(Backend backend)
    {
        ModelSize.RequireRoomToGenerate(Config, backend);
        return Build(backend, Config, training: false);
    }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        foreach (SafeFileHandle file in files.Values)
            file.Dispose();
    }

    /// <inheritdoc/>
    Decoder IInitialModel.LoadInitial(Backend backend, RunConfig config) => Build(backend, config, training: true);

    /// <summary>Makes sure, before anything is built, that it has the weights of a configuration.</summary>
    /// <exception cref="TinyMoEException">It names a tensor that is not there, or has another shape.</exception>
    public void RequireWeights(RunConfig config)
    {
        using SafetensorsWeights weights = OpenWeights();
        weights.Require(Models.Decoder.PlanStore(config));
    }

    private Decoder Build(Backend backend, RunConfig config, bool training)
    {
        using SafetensorsWeights weights = OpenWeights();
        weights.Require(Models.Decoder.PlanStore(config));
        return Verified(RunFiles.Model, weights.HasOnlyFloat32, () =>
        {
            Decoder model = new(backend, config, training, weights: weights);
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
        });
    }

    /// <summary>Reads what the last evaluation saw of the routers.</summary>
    internal RoutingSnapshot LoadRouting() => !files.TryGetValue(RunFiles.Routing, out SafeFileHandle? file) ? RoutingSnapshot.None
        : Verified(RunFiles.Routing, isStrict: true, () => RoutingSnapshot.Load(file, PathOf(RunFiles.Routing)));

    /// <summary>The state of a run that goes on with what this fingerprint names.</summary>
    internal TrainingState StateFor(string fingerprint) => State.Fingerprint == fingerprint ? State : throw new TinyMoEException(
        $"The text is not the one that the run in {Folder} was trained on; resume with the same --data, or begin anew with another --out.");

    /// <summary>Reads the weights and moments of a run that goes on with this configuration.</summary>
    internal void Load(Decoder model, AdamW optimizer)
    {
        LoadWeights(model);
        if (!Has(RunFiles.Optimizer))
            throw new TinyMoEException($"{PathOf(RunFiles.Optimizer)} is missing, so the run cannot go on; {Damaged}");
        Verified(RunFiles.Optimizer, isStrict: true, () =>
        {
            LoadMoments(model, ".m", optimizer.FirstMoments);
            LoadMoments(model, ".v", optimizer.SecondMoments);
            return true;
        });
    }

    /// <summary>Whether a run may go on with another value of this key: its steps, those of its schedule, the path of its text.</summary>
    internal static bool MayMove(string key) => key is "train.steps" or "train.schedule_steps" or "data.sources";

    /// <summary>Whether a file is the one that was written; true where there are no checksums.</summary>
    internal bool Matches(string name) => sums is null || Checksums.HashOf(files[name]) == sums[name];

    /// <summary>Whether it has a file of this name.</summary>
    internal bool Has(string name) => files.ContainsKey(name);

    /// <summary>The path of a file, for messages.</summary>
    private string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>
    /// Opens all files; false where the folder was replaced meanwhile, or misses one, which may be for the same reason.
    /// </summary>
    private bool TryOpenFiles(out string? missing)
    {
        string place = AtomicFolder.Find(Folder);
        byte[]? list = Checksums.TryReadFile(place);
        sums = list is null ? null : Checksums.Read(list, PathOf(RunFiles.Sums));
        missing = null;
        foreach (string name in sums?.Names ?? RunFiles.OfCheckpoint)
        {
            string path = Path.Combine(place, name);
            if (FilePlace.NotRegular(path) is { } kind)
                throw new TinyMoEException($"{PathOf(name)} is {kind} and no regular file; {Damaged}");
            try
            {
                files.Add(name, File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete));
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                if (sums is not null || RunFiles.OfEveryCheckpoint.Contains(name))
                    missing ??= name;
            }
        }

        if (sums is not null)
            stranger = Array.Find(RunFiles.OfCheckpoint, name => sums[name] is null && File.Exists(Path.Combine(place, name)));

        // A folder is replaced as a whole: if its list is still the same, all that was opened in between is of the same one.
        return missing is null && list.AsSpan().SequenceEqual(Checksums.TryReadFile(place));
    }

    /// <summary>Reads and compares all files but the safetensors, which are read when they are needed.</summary>
    private void ReadTexts()
    {
        foreach ((string name, SafeFileHandle file) in files.Where(file => !file.Key.EndsWith(".safetensors", StringComparison.Ordinal)))
        {
            long length = RandomAccess.GetLength(file);
            if (length > LargestText)
                throw new TinyMoEException($"{PathOf(name)} has {length} bytes, which is too long; {Damaged}");
            byte[] text = new byte[length];
            int read = 0;
            for (int more; (more = RandomAccess.Read(file, text.AsSpan(read), read)) > 0;)
                read += more;
            text = text[..read];
            texts.Add(name, text);
            if (sums is not null && Checksums.HashOf(text) != sums[name])
                throw new TinyMoEException(Differs(Folder, name));
        }

        if (stranger is not null)
            throw new TinyMoEException($"{PathOf(stranger)} is not in {RunFiles.Sums}: it is of another run, or {Damaged}");
        State = TrainingState.Read(Text(RunFiles.State), PathOf(RunFiles.State));
        if (State.HasChecksums && sums is null)
            throw new TinyMoEException($"{PathOf(RunFiles.Sums)} is missing; {Damaged}");
        Config = ReadConfig();
    }

    private RunConfig ReadConfig()
    {
        try
        {
            string text = System.Text.Encoding.UTF8.GetString(Text(RunFiles.Config));
            RunConfig config = State.OfItsTime(ConfigJson.Read(text) with { WrittenByFormerName = [] });
            config.Validate(); // nobody wrote this by hand: a value that cannot be is damage
            Validation.CheckComplete(config);
            return State.Step <= config.Train.Steps ? config : throw new TinyMoEException(
                $"train.steps={config.Train.Steps} is less than the {State.Step} steps that are done by {RunFiles.State}");
        }
        catch (TinyMoEException e)
        {
            throw new TinyMoEException($"{PathOf(RunFiles.Config)}: {e.Message.TrimEnd('.')}. Use another checkpoint.", e);
        }
    }

    private byte[] Text(string name) => texts.TryGetValue(name, out byte[]? text) ? text
        : throw new TinyMoEException($"{PathOf(name)} is missing; {Damaged}");

    /// <summary>The weights, by our names; the file must be the one that was written.</summary>
    internal IWeightSource OpenVerifiedWeights() =>
        Matches(RunFiles.Model) ? OpenWeights() : throw new TinyMoEException(Differs(Folder, RunFiles.Model));

    private SafetensorsWeights OpenWeights() =>
        SafetensorsWeights.Open(files[RunFiles.Model], PathOf(RunFiles.Model), TensorNames.Of(Config.Model));

    /// <summary>
    /// Reads a file while another thread computes its checksum, and lets the result go only if that is right. Where the check is not
    /// <paramref name="isStrict"/>, because no training writes such a file, another checksum is a note.
    /// </summary>
    private T Verified<T>(string name, bool isStrict, Func<T> read)
    {
        bool isSmall = RandomAccess.GetLength(files[name]) <= Checksums.Small;
        Task<bool> check = isSmall ? Task.FromResult(Matches(name)) : Task.Run(() => Matches(name));
        T result;
        try
        {
            result = read();
        }
        finally
        {
            Task.WaitAny(check); // it reads the file, which may be closed as soon as an error leaves here
        }

        if (check is { IsCompletedSuccessfully: true, Result: true })
            return result;
        if (isStrict || !check.IsCompletedSuccessfully)
            (result as IDisposable)?.Dispose();
        check.GetAwaiter().GetResult(); // throws what kept it from reading the file
        if (isStrict)
            throw new TinyMoEException(Differs(Folder, name));
        notes.Add($"{PathOf(name)} holds other types than a training writes, so it was converted, and its checksum says nothing");
        return result;
    }

    /// <summary>The message about a file whose checksum is another.</summary>
    internal static string Differs(string folder, string name) =>
        $"{Path.Combine(folder, name)} is not the file that was written with this checkpoint ({RunFiles.Sums} has another SHA-256): "
        + $"it is of another run, or {Damaged}";

    /// <summary>Makes sure that a run goes on with the configuration it began with, but for what may move.</summary>
    /// <exception cref="TinyMoEException">It names the key.</exception>
    internal void RequireSame(RunConfig now)
    {
        foreach ((string key, string before, string after) in ConfigKeys.Differences(Config, now))
        {
            if (!MayMove(key))
            {
                throw new TinyMoEException($"The run in {Folder} has {key}={before}, not {after}; resume with its own configuration, or "
                    + "begin anew with another --out.");
            }
        }
    }

    /// <summary>What shows that another checkpoint, which lies beside this one, is of another run; null: nothing.</summary>
    internal string? Apart(Checkpoint other)
    {
        if (State.Fingerprint != other.State.Fingerprint)
            return $"{Folder} and {other.Folder} were trained on different texts: they are of two runs";
        IEnumerable<string> keys = ConfigKeys.Differences(Config, other.Config).Select(difference => difference.Key);
        string? key = keys.FirstOrDefault(key => !MayMove(key));
        return key is null ? null : $"{Folder} and {other.Folder} differ in {key}: they are of two runs";
    }

    /// <summary>Reads the weights alone.</summary>
    internal void LoadWeights(Decoder model)
    {
        using SafetensorsWeights weights = OpenWeights();
        Verified(RunFiles.Model, isStrict: true, () =>
        {
            model.Parameters.Load(weights);
            weights.RequireAllUsed();
            return true;
        });
    }

    /// <summary>Reads what a block of moments holds, laid out as the weights that train.</summary>
    private void LoadMoments(Decoder model, string suffix, FlatBlock<float> moments)
    {
        Backend backend = model.Parameters.Backend;
        TensorNames names = TensorNames.Of(model.Config.Model);
        using SafetensorsReader file = SafetensorsReader.Open(files[RunFiles.Optimizer], PathOf(RunFiles.Optimizer));
        HashSet<string> unknown = [.. file.Tensors.Keys.Where(name => name.EndsWith(suffix, StringComparison.Ordinal))];
        float[] host = new float[CheckpointWriter.LargestTensor(model)];
        foreach (Parameter parameter in model.Parameters.All.Where(p => !p.IsFrozen))
        {
            foreach ((string name, Shape shape, int start) in names.Of(parameter))
            {
                Span<float> values = host.AsSpan(0, shape.Count);
                file.Read(name + suffix, shape.ToArray(), values);
                SafetensorsWeights.RequireFinite(values, name + suffix, PathOf(RunFiles.Optimizer));
                backend.Write<float>(values, moments.Slice(parameter.Offset + start, shape.Count));
                unknown.Remove(name + suffix);
            }
        }

        if (unknown.Count > 0)
            throw SafetensorsWeights.Unknown(PathOf(RunFiles.Optimizer), unknown);
    }
}
