using TinyMoE.Configuration;
using TinyMoE.Families;
using TinyMoE.Files;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Optim;

namespace TinyMoE.Train;

/// <summary>
/// Writes a <see cref="Checkpoint"/>: beside its place, flushed and renamed, so that a crash at any moment leaves the one before whole.
/// What is not finite is never written.
/// </summary>
internal static class CheckpointWriter
{
    private static readonly string[] ModelAndMoments = [RunFiles.Config, RunFiles.Model, RunFiles.Optimizer];

    /// <summary>Writes a checkpoint of these parts, which write their files into a folder that they get; and its checksums.</summary>
    /// <exception cref="StorageException">The file system refuses; what was there before is kept.</exception>
    /// <exception cref="NotFiniteException">A weight or a moment is not finite; what was there before is kept.</exception>
    public static void Save(string folder, params Action<string>[] parts) => AtomicFolder.Replace(
        folder,
        place =>
        {
            foreach (Action<string> part in parts)
                part(place);
            Checksums.Write(place);
        },
        Checkpoint.IsOwn);

    /// <summary>The part that is a model and its optimiser: the configuration, the weights, what routers keep, the moments.</summary>
    public static Action<string> Model(Decoder model, AdamW optimizer) => place =>
    {
        AtomicFile.WriteText(Path.Combine(place, RunFiles.Config), ConfigJson.Write(model.Config));
        SafetensorsWriter.Write(
            Path.Combine(place, RunFiles.Model),
            [.. Items(model, "", moments: default), .. States(model)],
            new Dictionary<string, string> { ["format"] = "pt" },
            onlyFinite: true);
        SafetensorsWriter.Write(
            Path.Combine(place, RunFiles.Optimizer),
            [.. Items(model, ".m", optimizer.FirstMoments), .. Items(model, ".v", optimizer.SecondMoments)],
            onlyFinite: true);
    };

    /// <summary>
    /// The part that is a model and its optimiser where the checkpoint in <paramref name="folder"/> has the same: its files get a second
    /// name, or are written again where the file system has no such thing.
    /// </summary>
    public static Action<string> SameModel(string folder, Decoder model, AdamW optimizer) => place =>
    {
        string before = AtomicFolder.Find(folder);
        if (Array.TrueForAll(ModelAndMoments, file => Disk.TryLink(Path.Combine(before, file), Path.Combine(place, file))))
            return;
        foreach (string file in ModelAndMoments)
            Disk.TryDelete(Path.Combine(place, file));
        Model(model, optimizer)(place);
    };

    /// <summary>The part that is the run's own state.</summary>
    public static Action<string> State(TrainingState state) => place =>
        AtomicFile.WriteText(Path.Combine(place, RunFiles.State), state.Write());

    /// <summary>The part that is what the last evaluation saw of the routers.</summary>
    public static Action<string> Routing(RoutingSnapshot routing) => place => routing.Save(Path.Combine(place, RunFiles.Routing));

    /// <summary>The part that is files of others, by name, which are kept as they are.</summary>
    public static Action<string> Companions(IReadOnlyDictionary<string, byte[]>? files) => place =>
    {
        foreach ((string name, byte[] content) in files ?? new Dictionary<string, byte[]>())
            AtomicFile.Write(Path.Combine(place, name), stream => stream.Write(content));
    };

    /// <summary>Number of elements of the largest tensor in a model's files.</summary>
    public static int LargestTensor(Decoder model) =>
        model.Parameters.All.SelectMany(TensorNames.Of(model.Config.Model).Of).Max(tensor => tensor.Shape.Count);

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
}
