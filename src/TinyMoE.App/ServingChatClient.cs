using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using TinyMoE.Generate;
using ChatOptions = Microsoft.Extensions.AI.ChatOptions;

namespace TinyMoE.App;

/// <summary>
/// A model that is served in this process as .NET's <see cref="IChatClient"/>. What an option asks for that cannot be done is refused by
/// its name. The client does not own the serving.
/// </summary>
public sealed class ServingChatClient(Serving serving) : IChatClient
{
    private const string MinP = "min_p", RepetitionPenalty = "repetition_penalty";

    private readonly ChatClientMetadata metadata = new("tinymoe", providerUri: null, serving.Name);

    /// <summary>The model's whole answer.</summary>
    /// <exception cref="TinyMoEException">The conversation or an option cannot be used, or the model is busy.</exception>
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        List<ChatResponseUpdate> updates = [];
        await foreach (ChatResponseUpdate update in GetStreamingResponseAsync(messages, options, cancellationToken))
            updates.Add(update);
        return updates.ToChatResponse();
    }

    /// <summary>The model's answer as it is written; the last update has the finish reason and the usage.</summary>
    /// <exception cref="TinyMoEException">The conversation or an option cannot be used, or the model is busy.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string id = $"chatcmpl-{Guid.NewGuid():N}";
        DateTimeOffset created = DateTimeOffset.UtcNow;
        using ServedTexts texts = serving.Start(Request(messages, options ?? new ChatOptions()));
        await foreach (TextPiece piece in texts.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (piece.Text.Length > 0)
                yield return Update([new TextContent(piece.Text)], null);
            if (piece.End is { } end)
                yield return Update([new UsageContent(UsageOf(texts))], end == GenerationEnd.Length ? ChatFinishReason.Length
                    : ChatFinishReason.Stop);
        }

        ChatResponseUpdate Update(IList<AIContent> contents, ChatFinishReason? reason) => new(ChatRole.Assistant, contents)
        {
            ResponseId = id, MessageId = id, CreatedAt = created, ModelId = serving.Name, FinishReason = reason,
        };
    }

    /// <summary>This client, its serving, or what it says of itself.</summary>
    public object? GetService(Type serviceType, object? serviceKey = null) => serviceKey is not null ? null
        : serviceType == typeof(ChatClientMetadata) ? metadata
        : serviceType.IsInstanceOfType(this) ? this
        : serviceType.IsInstanceOfType(serving) ? serving : null;

    /// <summary>Does nothing: whoever opened the serving closes it.</summary>
    public void Dispose()
    {
    }

    private TextRequest Request(IEnumerable<ChatMessage> messages, ChatOptions options)
    {
        Refuse(options);
        IReadOnlyList<int> prompt = serving.EncodeChat(Messages(messages, options.Instructions));
        int room = serving.Context - prompt.Count;
        if (room < 1)
        {
            throw new TinyMoEException(
                $"The conversation has {prompt.Count} tokens, and the model's context of {serving.Context} has no room for an answer; "
                + "leave out the oldest messages.");
        }

        return new TextRequest
        {
            Prompt = prompt,
            Tokens = Math.Min(options.MaxOutputTokens ?? room, room),
            StopTexts = [.. options.StopSequences ?? []],
            Sampling = Sampling(options),
        };
    }

    private static SamplingOptions Sampling(ChatOptions options) => new()
    {
        Temperature = options.Temperature ?? 1f,
        TopP = options.TopP ?? 1f,
        TopK = options.TopK ?? 0,
        MinP = Extra(options, MinP) ?? 0f,
        RepetitionPenalty = Extra(options, RepetitionPenalty) ?? 1f,
        Seed = options.Seed is { } seed ? unchecked((ulong)seed) : BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))),
    };

    private static float? Extra(ChatOptions options, string name)
    {
        if (options.AdditionalProperties?.TryGetValue(name, out object? value) != true || value is null)
            return null;
        try
        {
            return Convert.ToSingle(value is System.Text.Json.JsonElement json ? json.GetDouble() : value, CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is InvalidCastException or FormatException or OverflowException or InvalidOperationException)
        {
            throw new TinyMoEException($"AdditionalProperties[\"{name}\"] must be a number.", e);
        }
    }

    /// <summary>Refuses what would change the answer and cannot be done.</summary>
    private void Refuse(ChatOptions options)
    {
        if (options.MaxOutputTokens is < 1)
            throw new TinyMoEException("ChatOptions.MaxOutputTokens must be 1 or more.");
        string? refused =
            options.FrequencyPenalty is not (null or 0f) ? nameof(options.FrequencyPenalty)
            : options.PresencePenalty is not (null or 0f) ? nameof(options.PresencePenalty)
            : options.ResponseFormat is not (null or ChatResponseFormatText) ? nameof(options.ResponseFormat)
            : options.Tools is { Count: > 0 } ? nameof(options.Tools)
            : options.ToolMode is not (null or AutoChatToolMode or NoneChatToolMode) ? nameof(options.ToolMode)
            : options.Reasoning is not null ? nameof(options.Reasoning)
            : options.ConversationId is not null ? nameof(options.ConversationId)
            : options.ContinuationToken is not null ? nameof(options.ContinuationToken)
            : options.RawRepresentationFactory is not null ? nameof(options.RawRepresentationFactory)
            : options.AllowBackgroundResponses == true ? nameof(options.AllowBackgroundResponses)
            : options.ModelId is { } name && name != serving.Name ? $"{nameof(options.ModelId)} '{name}'"
            : options.AdditionalProperties?.Keys.FirstOrDefault(key => key is not (MinP or RepetitionPenalty)) is { } key
                ? $"{nameof(options.AdditionalProperties)} '{key}'" : null;
        if (refused is not null)
        {
            throw new TinyMoEException(
                $"ChatOptions.{refused} is not for {serving.Name}, which takes Temperature, TopP, TopK, MaxOutputTokens, Seed, "
                + $"StopSequences, Instructions, and as additional properties {MinP} and {RepetitionPenalty}; leave it out.");
        }
    }

    private static JsonArray Messages(IEnumerable<ChatMessage> messages, string? instructions)
    {
        JsonArray list = [];
        if (instructions is not null)
            list.Add(Message(ChatRole.System.Value, instructions));
        foreach (ChatMessage message in messages)
        {
            if (message.Contents.FirstOrDefault(content => content is not (TextContent or UsageContent)) is { } other)
                throw new TinyMoEException($"A message holds {other.GetType().Name}; only text can be said to the model.");
            list.Add(Message(message.Role.Value, message.Text));
        }

        return list;

        static JsonObject Message(string role, string text) => new() { ["role"] = role, ["content"] = text };
    }

    private static UsageDetails UsageOf(ServedTexts texts) => new()
    {
        InputTokenCount = texts.PromptTokens,
        OutputTokenCount = texts.Tokens,
        TotalTokenCount = texts.PromptTokens + texts.Tokens,
    };
}
