using TinyMoE.Backends;
using TinyMoE.Generate;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Tokenizers.Chat;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to chat.</summary>
/// <param name="Run">The folder of a run, or of a checkpoint.</param>
public sealed record ChatRequest(string Run)
{
    /// <summary>The file of the chat template; null: the model's own, chat_template.jinja in its folder.</summary>
    public string? Template { get; init; }

    /// <summary>How the chat is led.</summary>
    public ChatOptions Options { get; init; } = new();

    /// <summary>The device that computes.</summary>
    public DeviceChoice Device { get; init; } = new();
}

/// <summary>The person's side of a chat; called on the thread that generates.</summary>
public interface IChatListener : ITextListener
{
    /// <summary>The next message; null: the chat is over.</summary>
    string? NextMessage();

    /// <summary>Called at the end of every answer; a token that is cancelled while an answer is written ends it.</summary>
    void OnAnswer(GeneratedText answer)
    {
    }

    /// <summary>Whether the chat goes on after a message that could not be said; if not, the error ends it.</summary>
    bool GoesOnAfter(TinyMoEException error) => false;

    /// <summary>A token that ends the answer that is about to be written.</summary>
    CancellationToken BeginAnswer() => default;
}

/// <summary>Lets a person talk with a model.</summary>
public static class Chatting
{
    /// <summary>A message that begins the conversation anew.</summary>
    public const string ResetCommand = "/reset";

    /// <summary>A message that ends the chat.</summary>
    public const string ExitCommand = "/exit";

    private const string OwnTemplate = "chat_template.jinja";

    /// <summary>Opens the model of a run and talks until the listener has no more to say.</summary>
    /// <exception cref="TinyMoEException">The run, the device or the template cannot be used, or a message cannot be said.</exception>
    public static void Run(ChatRequest request, IChatListener listener)
    {
        request.Options.Sampling.Validate();
        using Checkpoint checkpoint = Checkpoint.Open(RunFolder.FindCheckpoint(request.Run));
        ChatTemplate template = TemplateOf(request, checkpoint.Folder);
        Tokenizer tokenizer = checkpoint.LoadTokenizer();
        if (checkpoint.Config.Moe.RoutesByLabel)
        {
            throw new TinyMoEException(
                $"{request.Run} holds a model of moe.router=task, which needs a label with every text; use generate.");
        }

        using Backend backend = request.Device.Open();
        using Decoder model = checkpoint.LoadModel(backend);
        checkpoint.Dispose(); // a training may replace it meanwhile
        foreach (NoteReport note in ModelInfo.NotesOf(checkpoint))
            listener.OnNote(note);
        Converse(new ChatSession(backend, model, tokenizer, template, request.Options), listener);
    }

    /// <summary>Talks in a session until the listener has no more to say; empty messages are none.</summary>
    /// <exception cref="TinyMoEException">A message cannot be said, and the listener does not go on after that.</exception>
    public static void Converse(ChatSession session, IChatListener listener)
    {
        while (listener.NextMessage() is { } message && message.Trim() != ExitCommand)
        {
            if (message.Trim() == ResetCommand)
                session.Reset();
            else if (message.Trim().Length > 0)
                Answer(session, message, listener);
        }
    }

    private static void Answer(ChatSession session, string message, IChatListener listener)
    {
        bool fitted = session.Dropped == 0;
        try
        {
            listener.OnAnswer(session.Say(message, listener.OnText, listener.BeginAnswer()));
        }
        catch (TinyMoEException e) when (listener.GoesOnAfter(e))
        {
            return;
        }

        if (fitted && session.Dropped > 0)
        {
            listener.OnNote(new NoteReport(
                0, "the conversation no longer fits into the model's context: the oldest messages are left out from here on"));
        }
    }

    private static ChatTemplate TemplateOf(ChatRequest request, string folder)
    {
        string own = Path.Combine(folder, OwnTemplate);
        return request.Template is { } path ? ChatTemplate.Load(path) : File.Exists(own) ? ChatTemplate.Load(own)
            : throw new RequestException($"{request.Run} has no chat template ({OwnTemplate}); name one by {Setting.Template}");
    }
}
