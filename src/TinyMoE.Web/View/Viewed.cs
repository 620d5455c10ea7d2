using TinyMoE.App;
using TinyMoE.Web.View.Runs;

namespace TinyMoE.Web.View;

/// <summary>A model that pages show.</summary>
/// <param name="Name">What it is called there.</param>
/// <param name="Folder">Where it is.</param>
internal sealed record ViewedModel(string Name, ModelFolder Folder);

/// <summary>What all pages look at: the runs, their models, and the ones that are open to be talked with and looked into.</summary>
internal sealed class Viewed(ViewOptions options) : IDisposable
{
    private readonly Lock gate = new();
    private (ViewedModel Model, Serving Serving)? open;
    private bool isClosed;

    /// <summary>The runs, read as they are written.</summary>
    public WatchedRuns Runs { get; } = new(options.Runs);

    /// <summary>The model that texts are followed through.</summary>
    public TracingThread Tracing { get; } = new(options.Device);

    /// <summary>The models: of every run, and the one that was named.</summary>
    public IReadOnlyList<ViewedModel> Models => models ??=
    [
        .. options.Model is { } model ? [new ViewedModel(NameOf(model), ModelFolder.Hub(model))] : Array.Empty<ViewedModel>(),
        .. Runs.All.Select(run => new ViewedModel(run.Name, ModelFolder.Run(run.Folder))),
    ];

    private ViewedModel[]? models;

    /// <summary>The model that is asked for by its place, else the first; null: there is none.</summary>
    public ViewedModel? Find(int? place) => Models.Count == 0 ? null : Models[place is >= 0 and int at && at < Models.Count ? at : 0];

    /// <summary>A model that writes; opened when it is first wanted, and the one that was open before is closed.</summary>
    /// <exception cref="TinyMoEException">It cannot be opened.</exception>
    public Serving Open(ViewedModel model)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isClosed, this);
            if (open is { } there && there.Model == model)
                return there.Serving;
            open?.Serving.Dispose();
            open = null;
            Serving serving = Serving.Open(new ServingRequest(model.Folder) { Name = model.Name, Slots = 4, Device = options.Device });
            open = (model, serving);
            return serving;
        }
    }

    public void Dispose()
    {
        Runs.Dispose();
        Tracing.Dispose();
        lock (gate)
        {
            isClosed = true;
            open?.Serving.Dispose();
            open = null;
        }
    }

    private static string NameOf(string folder) => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
}
