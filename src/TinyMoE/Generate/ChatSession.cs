using TinyMoE.Backends;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Tokenizers.Chat;

namespace TinyMoE.Generate;

/// <summary>
/// A conversation with a model. Every answer is computed from the whole conversation, as the template writes it. Where that has no room in
/// the context any more, the oldest message of the user goes for good, with what was answered to it; the system's message stays. Of the
/// context a quarter, or the tokens of an answer where these are fewer, is left to the answer.
/// </summary>
public sealed class ChatSession
{
    private const string SystemRole = "system", UserRole = "user", AssistantRole = "assistant";

    private readonly TextGenerator writer;
    private readonly ChatPrompt prompt;
    private readonly ChatOptions options;
    private readonly int context;
    private readonly List<ChatMessage> messages = [];
    private ulong turns;

    /// <summary>A conversation that has not begun, with a model that lives on <paramref name="backend"/>.</summary>
    /// <exception cref="TinyMoEException">An option is out of its range.</exception>
    public ChatSession(
        Backend backend, Decoder model, Tokenizer tokenizer, ChatTemplate template, ChatOptions options, bool useCache = true)
    {
        options.Sampling.Validate();
        this.options = options;
        context = model.Config.Model.Context;
        Generator generator = new(backend, model, useCache) { StopTokens = options.StopTokens, Writable = options.Writable };
        writer = new TextGenerator(generator, tokenizer) { StopTexts = options.StopTexts };
        prompt = new ChatPrompt(template, options, options.Encode ?? ((text, _) => tokenizer.Encode(text)));
        Reset();
    }

    /// <summary>The conversation so far, from the system's message on, where there is one.</summary>
    public IReadOnlyList<ChatMessage> Messages => messages;

    /// <summary>How many messages went because the context has no room for them.</summary>
    public int Dropped { get; private set; }

    /// <summary>Begins anew.</summary>
    public void Reset()
    {
        messages.Clear();
        if (options.System is { } system)
            messages.Add(new ChatMessage(SystemRole, system));
        (Dropped, turns) = (0, 0);
    }

    /// <summary>
    /// Says something to the model and gives its answer, which <paramref name="write"/> is told piece by piece. What cannot be said leaves
    /// the conversation as it was.
    /// </summary>
    /// <exception cref="TinyMoEException">
    /// The message has no room in the context, the template refuses the conversation, or the tokenizer does not know a character of it.
    /// </exception>
    public GeneratedText Say(string text, Action<string> write, CancellationToken stop = default)
    {
        List<ChatMessage> next = [.. messages, new ChatMessage(UserRole, text)];
        List<int> ids = Fit(next);
        SamplingOptions sampling = options.Sampling with { Seed = options.Sampling.Seed + turns };
        GeneratedText answer = writer.Write(ids, Math.Min(options.Tokens, context - ids.Count), sampling, write, stop);
        Dropped += messages.Count + 1 - next.Count;
        messages.Clear();
        messages.AddRange([.. next, new ChatMessage(AssistantRole, answer.Text)]);
        turns++;
        return answer;
    }

    /// <summary>The ids of a conversation, from which the oldest messages are taken until it has room.</summary>
    private List<int> Fit(List<ChatMessage> conversation)
    {
        int room = context - Math.Max(1, Math.Min(options.Tokens, context / 4));
        int first = conversation[0].Role == SystemRole ? 1 : 0;
        while (true)
        {
            List<int> ids = prompt.Encode(conversation);
            if (ids.Count == 0)
                throw new TinyMoEException("The template makes an empty text of the conversation: a model needs a token to begin with.");
            if (ids.Count <= room)
                return ids;
            int second = conversation.FindIndex(first + 1, message => message.Role == UserRole);
            if (second < 0)
            {
                throw new TinyMoEException(
                    $"The message is too long: with what the template puts around it, it has {ids.Count} tokens, and the context of "
                    + $"{context} has room for {room} before an answer; say it in fewer words.");
            }

            conversation.RemoveRange(first, second - first);
        }
    }
}
