using System.Collections.Concurrent;
using TinyMoE.App;
using TinyMoE.Train;

namespace TinyMoE.Web.View;

/// <summary>
/// The one model that pages follow texts through. It stays open, on a thread of its own, since a device may be bound to the one that opened
/// it: until another is asked for, a training has replaced its checkpoint, or the pages end.
/// </summary>
internal sealed class TracingThread(DeviceChoice device) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly BlockingCollection<Task> wanted = [];
    private readonly Lock gate = new();
    private Thread? thread;
    private (ModelFolder Folder, string State, TracedModel Model)? open; // the thread's alone

    /// <summary>How often a model was opened.</summary>
    public int Opened { get; private set; }

    /// <summary>Asks a model for something; requests wait for each other.</summary>
    /// <exception cref="TinyMoEException">It cannot be opened, or cannot do it.</exception>
    public Task<T> AskAsync<T>(ViewedModel model, Func<TracedModel, T> ask)
    {
        Task<T> asked = new(() => ask(Open(model.Folder)), TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(wanted.IsAddingCompleted, this);
            wanted.Add(asked);
            if (thread is null)
            {
                thread = new Thread(Work) { Name = "tracing", IsBackground = true };
                thread.Start();
            }
        }

        return asked;
    }

    /// <summary>Closes the model, after what was asked for.</summary>
    public void Dispose()
    {
        lock (gate)
            wanted.CompleteAdding();
        thread?.Join(Patience);
    }

    private void Work()
    {
        foreach (Task task in wanted.GetConsumingEnumerable())
            task.RunSynchronously();
        open?.Model.Dispose();
    }

    private TracedModel Open(ModelFolder folder)
    {
        string state = StateOf(folder);
        if (open is { } there && there.Folder == folder && there.State == state)
            return there.Model;
        open?.Model.Dispose();
        open = null;
        open = (folder, state, TracedModel.Open(folder, device));
        Opened++;
        return open.Value.Model;
    }

    /// <summary>What changes when a training replaces the checkpoint.</summary>
    private static string StateOf(ModelFolder folder)
    {
        if (!folder.IsRun)
            return "";
        string checkpoint = RunFolder.FindCheckpoint(folder.Path);
        return $"{checkpoint} {Directory.GetLastWriteTimeUtc(checkpoint).Ticks}";
    }
}
