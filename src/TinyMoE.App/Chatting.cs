using System.Text.Json.Nodes;
using TinyMoE.Backends;
using TinyMoE.Families;
using TinyMoE.Generate;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Tokenizers.Chat;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to chat.</summary>
/// <param name="Model">Where the model is.</param>
public sealed record ChatRequest(ModelFolder Model)
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

    /// <summary>Opens a model and talks until the listener has no more to say.</summary>
    /// <exception cref="TinyMoEException">The run, the device or the template cannot be used, or a message cannot be said.</exception>
    public static void Run(ChatRequest request, IChatListener listener)
    {
        request.Options.Sampling.Validate();
        using OpenedModel opened = OpenedModel.Open(request.Model);
        ChatTemplate template = TemplateOf(request.Template, request.Model, opened);
        Tokenizer tokenizer = opened.LoadTokenizer();
        if (opened.Config.Moe.RoutesByLabel)
        {
            throw new TinyMoEException(
                $"{request.Model} holds a model of moe.router=task, which needs a label with every text; use generate.");
        }

        using Backend backend = request.Device.Open(opened.Config);
        using Decoder model = opened.LoadModel(backend);
        foreach (NoteReport note in opened.Notes)
            listener.OnNote(note);
        Converse(new ChatSession(backend, model, tokenizer, template, OptionsOf(request.Options, opened, tokenizer)), listener);
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

    /// <summary>The template that a file holds, or else the model's own.</summary>
    internal static ChatTemplate TemplateOf(string? path, ModelFolder folder, OpenedModel opened)
    {
        if (path is not null)
            return ChatTemplate.Load(path);
        if (opened.ChatTemplate is { } own)
            return ChatTemplate.Parse(own, $"the chat template of {folder}");
        throw new RequestException(
            $"{folder} has no chat template (chat_template.jinja, or one in tokenizer_config.json); name one by {Setting.Template}");
    }

    /// <summary>The options with what the model itself says: where it stops, its special tokens, what may be written.</summary>
    internal static ChatOptions OptionsOf(ChatOptions options, OpenedModel opened, Tokenizer tokenizer)
    {
        GenerationDefaults generation = opened.Generation;
        Dictionary<string, JsonNode?> variables = new(options.Variables);
        Add("bos_token", generation.BeginId);
        Add("eos_token", generation.StopIds.Count > 0 ? generation.StopIds[0] : null);
        Add("pad_token", generation.PadId);
        return options with
        {
            StopTokens = new HashSet<int>([.. options.StopTokens, .. generation.StopIds]),
            StopTexts = [.. options.StopTexts, .. generation.StopTexts],
            Variables = variables,
            Writable = TextGeneration.Writable(tokenizer, opened.Config.Model.Vocabulary),
            SpecialTexts = [.. Enumerable.Range(0, tokenizer.Vocabulary).Where(tokenizer.IsSpecial).Select(tokenizer.TokenText)],
            Encode = (text, recognises) => recognises ? tokenizer.Encode(text) : tokenizer.EncodePlain(text),
        };

        void Add(string name, int? id)
        {
            if (id is { } known && known < tokenizer.Vocabulary)
                variables.TryAdd(name, tokenizer.TokenText(known));
        }
    }
}
