using System.Text.Json.Nodes;
using TinyMoE.Generate;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to serve a model.</summary>
/// <param name="Model">Where the model is.</param>
public sealed record ServingRequest(ModelFolder Model)
{
    /// <summary>What the model is called; null: what its folder is called.</summary>
    public string? Name { get; init; }

    /// <summary>The file of the chat template; null: the model's own, if it has one.</summary>
    public string? Template { get; init; }

    /// <summary>Texts that are written at once, each step one token of each.</summary>
    public int Slots { get; init; } = 16;

    /// <summary>Texts that may wait for a slot; beyond them requests are refused.</summary>
    public int Queue { get; init; } = 256;

    /// <summary>The device that computes.</summary>
    public DeviceChoice Device { get; init; } = new();
}

/// <summary>
/// A model that writes texts for whoever asks, from any thread, many at once. One thread has the model: it opens it, steps, and closes it.
/// </summary>
public sealed class Serving : IDisposable
{
    private readonly ServingRequest request;
    private readonly Thread thread;
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly AutoResetEvent wake = new(false);
    private readonly Lock gate = new();
    private readonly List<ServedText> active = [];
    private ServedModel model = null!;
    private BatchGenerator generator = null!;
    private TinyMoEException? failure; // why nothing is served any more
    private bool isClosing;

    private Serving(ServingRequest request)
    {
        this.request = request;
        string folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(request.Model.Path));
        Name = request.Name ?? (Path.GetFileName(folder) is { Length: > 0 } name ? name : "model");
        thread = new Thread(Work) { Name = "serving", IsBackground = true };
    }

    /// <summary>What the model is called.</summary>
    public string Name { get; }

    /// <summary>The step of the model, of a run.</summary>
    internal int Step => model.Step;

    /// <summary>When it was opened.</summary>
    public DateTimeOffset Opened { get; } = DateTimeOffset.UtcNow;

    /// <summary>Texts that are written at once.</summary>
    public int Slots => request.Slots;

    /// <summary>Texts that are taken at once, those that wait among them.</summary>
    public int Capacity => request.Slots + request.Queue;

    /// <summary>Texts that are written now.</summary>
    public int Running => generator.Running;

    /// <summary>Texts that wait for a slot.</summary>
    public int Waiting => generator.Waiting;

    /// <summary>Tokens that the model looks back at.</summary>
    public int Context => model.Config.Model.Context;

    /// <summary>Ids that the model knows, from 0.</summary>
    public int Vocabulary => model.Config.Model.Vocabulary;

    /// <summary>Whether it can be talked with: it has a chat template that can be read, and needs no label.</summary>
    public bool CanChat => model.Template is not null && !model.Config.Moe.RoutesByLabel;

    /// <summary>Whether its chat template tells the model of tools.</summary>
    public bool KnowsTools => model.KnowsTools;

    /// <summary>What a person should know of it.</summary>
    public IReadOnlyList<NoteReport> Notes => model.Notes;

    /// <summary>The device that computes, in words.</summary>
    public string Device => model.Backend.Name;

    /// <summary>Told of each text that is over, on the thread that steps.</summary>
    public event Action<ServedTiming>? TextEnded;

    /// <summary>Opens a model, and serves it until it is disposed of.</summary>
    /// <exception cref="TinyMoEException">The model, the device or the template cannot be used, or a number is out of range.</exception>
    public static Serving Open(ServingRequest request)
    {
        if (request.Slots is < 1 or > 1024)
            throw new TinyMoEException($"{request.Slots} slots are asked for; there can be 1 to 1024.");
        if (request.Queue < 0)
            throw new TinyMoEException($"A queue of {request.Queue} texts is asked for; there can be 0 or more.");
        Serving serving = new(request);
        serving.thread.Start();
        serving.opened.Task.GetAwaiter().GetResult();
        return serving;
    }

    /// <summary>The ids of a prompt with what the tokenizer puts around a text; of an empty one those that texts begin with.</summary>
    /// <exception cref="TinyMoEException">The tokenizer does not know a character of it.</exception>
    public IReadOnlyList<int> Encode(string prompt) => prompt.Length > 0 ? model.Tokenizer.EncodeWithSpecial(prompt) : model.Start;

    /// <summary>
    /// The ids of a conversation up to where the answer begins: messages with role and content, as a list of JSON, and the tools that the
    /// template is told of, if any.
    /// </summary>
    /// <exception cref="TinyMoEException">The model has no template, or its template refuses the conversation.</exception>
    public IReadOnlyList<int> EncodeChat(JsonArray messages, JsonNode? tools = null)
    {
        if (!CanChat)
            throw new TinyMoEException(WhyNoChat);
        List<int> ids = model.Prompt!.Encode(messages, tools);
        return ids.Count > 0 ? ids : throw new TinyMoEException(
            "The template makes an empty text of the conversation: a model needs a token to begin with.");
    }

    /// <summary>
    /// What the template writes around the content of the last message, up to where the answer begins; null: it does not write it.
    /// </summary>
    internal (string Before, string After)? AroundLast(JsonArray messages) => model.Prompt?.AroundLast(messages);

    /// <summary>The text of ids without special tokens.</summary>
    public string Decode(IReadOnlyList<int> ids) => model.Tokenizer.Decode([.. ids]);

    /// <summary>A token as a text, and its bytes; of a special token its name.</summary>
    public (string Text, byte[] Bytes) Token(int id)
    {
        if (id >= model.Tokenizer.Vocabulary)
            return ("", []);
        byte[] bytes = model.Tokenizer.Bytes(id).ToArray();
        return bytes.Length == 0 || model.Tokenizer.IsSpecial(id)
            ? (model.Tokenizer.TokenText(id), System.Text.Encoding.UTF8.GetBytes(model.Tokenizer.TokenText(id)))
            : (System.Text.Encoding.UTF8.GetString(bytes), bytes);
    }

    /// <summary>Asks for a text; its pieces come as the model writes them.</summary>
    /// <inheritdoc cref="Start(IReadOnlyList{TextRequest}, bool)"/>
    public ServedTexts Start(TextRequest request) => Start([request]);

    /// <summary>Asks for texts, all or none; they come in pieces as the model writes them, or whole, which costs less.</summary>
    /// <exception cref="ServingBusyException">Too many texts wait already.</exception>
    /// <exception cref="TinyMoEException">A prompt, a label or an option cannot be used.</exception>
    public ServedTexts Start(IReadOnlyList<TextRequest> requests, bool inPieces = true)
    {
        if (requests.Count == 0)
            throw new TinyMoEException("No text is asked for.");
        foreach (TextRequest each in requests)
            _ = new StopTexts(each.StopTexts); // refuses those that are empty
        BatchRequest[] batch = [.. requests.Select(Batch)];
        lock (gate)
        {
            if (failure is not null)
                throw failure;
            ObjectDisposedException.ThrowIf(isClosing, this);
            if (active.Count + requests.Count > Capacity)
            {
                throw new ServingBusyException(
                    $"The model is busy: {active.Count} texts are written or wait, and there is room for {Capacity}; try "
                    + "again later.");
            }

            BatchSequence[] sequences = Add(batch);
            ServedTexts texts = new(requests, inPieces, (each, index, told) =>
                new ServedText(WithStops(each), index, told, sequences[index], model.Tokenizer));
            active.AddRange(texts.All);
            wake.Set();
            return texts;
        }
    }

    /// <summary>Ends all texts: their last pieces say that they were cancelled.</summary>
    public void CancelAll()
    {
        lock (gate)
            active.ForEach(text => text.Cancel());
        wake.Set();
    }

    /// <summary>Ends all texts and closes the model.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (isClosing)
                return;
            isClosing = true;
        }

        CancelAll();
        thread.Join();
        wake.Dispose();
    }

    /// <summary>All of them, or none where one cannot be written.</summary>
    private BatchSequence[] Add(BatchRequest[] batch)
    {
        List<BatchSequence> added = [];
        try
        {
            foreach (BatchRequest each in batch)
                added.Add(generator.Add(each));
            return [.. added];
        }
        catch
        {
            added.ForEach(sequence => sequence.Cancel());
            throw;
        }
    }

    private string WhyNoChat => model.Config.Moe.RoutesByLabel
        ? $"{Name} is a model of moe.router=task, which needs a label with every text; ask for completions."
        : model.TemplateError ?? $"{Name} has no chat template, so it cannot be talked with; ask for completions.";

    private BatchRequest Batch(TextRequest text) => new()
    {
        Prompt = text.Prompt,
        Count = text.Tokens,
        Sampling = text.Sampling,
        StopTokens = model.StopTokens,
        Label = TextGeneration.LabelOf(text.Label, request.Model, model.Config, () => model.Labels),
        Alternatives = text.Alternatives,
        Echo = text.Echo is not null && text.Alternatives is not null,
    };

    private TextRequest WithStops(TextRequest text) => text with { StopTexts = [.. text.StopTexts, .. model.StopTexts] };

    /// <summary>The life of the model.</summary>
    private void Work()
    {
        try
        {
            model = ServedModel.Open(request);
            generator = NewGenerator();
        }
        catch (Exception e)
        {
            model?.Dispose();
            opened.SetException(e);
            return;
        }

        opened.SetResult();
        try
        {
            while (!Volatile.Read(ref isClosing) || HasActive())
                Turn();
        }
        finally
        {
            generator.Dispose();
            model.Dispose();
        }
    }

    /// <summary>One step, and what it gave; waits where there is nothing to do.</summary>
    private void Turn()
    {
        bool worked;
        try
        {
            worked = generator.Step();
        }
        catch (Exception e)
        {
            StartOver(e);
            return;
        }

        foreach (ServedText text in Active())
        {
            if (Follow(text) is { } timing)
                Close(text, timing);
        }

        if (!worked && !HasActive())
            wake.WaitOne();
    }

    private static ServedTiming? Follow(ServedText text)
    {
        try
        {
            return text.Follow();
        }
        catch (Exception e)
        {
            return text.Fail(e as TinyMoEException ?? new TinyMoEException($"The text could not be written: {e.Message}", e));
        }
    }

    /// <summary>After what nobody expected, as no memory: all texts fail, and a new generator goes on without them.</summary>
    private void StartOver(Exception e)
    {
        TinyMoEException told = new($"The model could not go on: {e.GetType().Name}: {e.Message}", e);
        foreach (ServedText text in Active())
            Close(text, text.Fail(told));
        try
        {
            generator.Dispose();
            generator = NewGenerator();
        }
        catch (Exception again)
        {
            lock (gate)
                failure = new TinyMoEException($"The model is not served any more: {again.Message}", again);
        }
    }

    private BatchGenerator NewGenerator() => new(model.Backend, model.Decoder, request.Slots) { Writable = model.Writable };

    private ServedText[] Active()
    {
        lock (gate)
            return [.. active];
    }

    private bool HasActive()
    {
        lock (gate)
            return active.Count > 0;
    }

    private void Close(ServedText text, ServedTiming timing)
    {
        lock (gate)
            active.Remove(text);
        TextEnded?.Invoke(timing);
    }
}
