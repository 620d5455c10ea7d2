using TinyMoE.App;
using TinyMoE.Web.View;

namespace TinyMoE.Tests.Web.View;

/// <summary>The model that texts are followed through: one, which stays open while it is the same.</summary>
[Collection(ViewCollection.Name)]
public sealed class TracingThreadTests(ViewedRun viewed)
{
    private static readonly DeviceChoice Device = new(Threads: 1);

    private ViewedModel Model => new("a", viewed.Run);

    [Fact]
    public async Task AModel_StaysOpen_UntilItsCheckpointIsReplaced()
    {
        using TracingThread thread = new(Device);
        TracedText first = await TraceAsync(thread);
        TracedText second = await TraceAsync(thread);
        Assert.Equal(1, thread.Opened);
        Assert.Equal(first.Tokens.Select(token => token.Loss), second.Tokens.Select(token => token.Loss));
        string best = Path.Combine(viewed.Run, "best");
        Assert.True(Directory.Exists(best));
        Directory.SetLastWriteTimeUtc(best, Directory.GetLastWriteTimeUtc(best).AddSeconds(1));
        await TraceAsync(thread);
        Assert.Equal(2, thread.Opened);
    }

    [Fact]
    public async Task AModelThatIsNotThere_IsSaid_AndTheNextIsOpened()
    {
        using TracingThread thread = new(Device);
        TinyMoEException error = await Assert.ThrowsAsync<TinyMoEException>(
            () => thread.AskAsync(new ViewedModel("none", viewed.Folder["none"]), model => model.Step));
        Assert.StartsWith("There is no folder", error.Message, StringComparison.Ordinal);
        Assert.Equal("the cat".Length, (await TraceAsync(thread)).Tokens.Length);
    }

    [Fact]
    public async Task HeldOutText_ThatIsGone_IsSaid()
    {
        string text = viewed.Folder["text.txt"], away = viewed.Folder["away.txt"];
        using TracingThread thread = new(Device);
        File.Move(text, away);
        try
        {
            RequestException error = await Assert.ThrowsAsync<RequestException>(
                () => thread.AskAsync(Model, model => model.HeldOut.Windows));
            Assert.Contains("text.txt, the text of the run in", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Move(away, text);
        }

        int windows = await thread.AskAsync(Model, model => model.HeldOut.Windows);
        Assert.Equal(Evaluating.Run(new EvaluationRequest(viewed.Run) { Device = Device }).Measured.Windows, windows);
    }

    [Fact]
    public async Task AThreadThatEnded_TakesNoMore()
    {
        TracingThread thread = new(Device);
        await TraceAsync(thread);
        thread.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => TraceAsync(thread));
    }

    private Task<TracedText> TraceAsync(TracingThread thread) =>
        thread.AskAsync(Model, model => model.Trace(model.Encode("the cat"), []));
}
