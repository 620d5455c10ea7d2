using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using TinyMoE.App;
using TinyMoE.Generate;

namespace TinyMoE.Web.Api;

/// <summary>
/// What completions and chats have in common: texts are asked for, and told whole or as they come. How an answer looks is the other half.
/// </summary>
internal abstract class TextApi(Serving serving)
{
    private readonly string fingerprint = "fp_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        $"{typeof(Serving).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion} {serving.Device} "
        + $"{serving.Name}")))[..10];

    protected Serving Serving => serving;

    /// <summary>Answers a request.</summary>
    public async Task AnswerAsync(HttpContext context)
    {
        (Settings settings, IReadOnlyList<TextRequest> requests, bool tellsTokens) = await ReadAsync(context);
        if (requests.Count > serving.Capacity)
        {
            throw ApiError.Bad("n", $"{requests.Count} texts are asked for at once, and this server takes {serving.Capacity} at most.",
                "too_many_texts");
        }

        using ServedTexts texts = serving.Start(requests, inPieces: settings.Streams);
        Head head = new(NewId(), DateTimeOffset.UtcNow.ToUnixTimeSeconds(), tellsTokens, texts.PromptTokens / settings.Count);
        if (settings.Streams)
            await StreamAsync(context, texts, head, settings, requests.Count);
        else
            await TellAsync(context, texts, head, requests.Count);
    }

    /// <summary>Reads what is asked for, and whether tokens are told with their log-probabilities.</summary>
    protected abstract Task<(Settings Settings, IReadOnlyList<TextRequest> Requests, bool TellsTokens)> ReadAsync(HttpContext context);

    /// <summary>A name for an answer.</summary>
    protected abstract string NewId();

    /// <summary>What an answer is called, whole or as one of its events.</summary>
    protected abstract string ObjectOf(bool isEvent);

    /// <summary>The members of a text that is whole.</summary>
    protected abstract void WriteWhole(Utf8JsonWriter json, string text, IReadOnlyList<ServedToken>? tokens);

    /// <summary>The members of a piece; one without a text begins or ends one.</summary>
    protected abstract void WritePiece(Utf8JsonWriter json, string? text, IReadOnlyList<ServedToken>? tokens, bool isFirst);

    /// <summary>Whether a text begins with an event of its own.</summary>
    protected virtual bool TellsBeginning => false;

    private async Task TellAsync(HttpContext context, ServedTexts texts, Head head, int count)
    {
        StringBuilder[] text = [.. Enumerable.Range(0, count).Select(_ => new StringBuilder())];
        List<ServedToken>[] tokens = [.. Enumerable.Range(0, count).Select(_ => new List<ServedToken>())];
        GenerationEnd[] ends = new GenerationEnd[count];
        await foreach (TextPiece piece in texts.ReadAsync(context.RequestAborted))
        {
            text[piece.Index].Append(piece.Text);
            if (head.TellsTokens)
                tokens[piece.Index].AddRange(piece.Tokens);
            if (piece.End is { } end)
                ends[piece.Index] = end;
        }

        if (ends.Contains(GenerationEnd.Cancelled))
            throw ApiError.Stopping();
        await Answer.JsonAsync(context, StatusCodes.Status200OK, json => WriteFrame(json, head, false, () =>
        {
            for (int i = 0; i < count; i++)
            {
                int index = i;
                WriteChoice(json, index, ends[index],
                    () => WriteWhole(json, text[index].ToString(), head.TellsTokens ? tokens[index] : null));
            }
        }, () => WriteUsage(json, head.PromptTokens, texts.Tokens)));
    }

    private async Task StreamAsync(HttpContext context, ServedTexts texts, Head head, Settings settings, int count)
    {
        Answer.BeginEvents(context);
        for (int i = 0; TellsBeginning && i < count; i++)
            await PieceAsync(context, head, settings, i, null, null, null, isFirst: true);
        try
        {
            await foreach (TextPiece piece in texts.ReadAsync(context.RequestAborted))
            {
                if (piece.End == GenerationEnd.Cancelled)
                    throw ApiError.Stopping();
                if (piece.Text.Length > 0 || (head.TellsTokens && piece.Tokens.Count > 0))
                    await PieceAsync(context, head, settings, piece.Index, piece.Text, head.TellsTokens ? piece.Tokens : null, null);
                if (piece.End is { } end)
                    await PieceAsync(context, head, settings, piece.Index, null, null, end);
            }

            if (settings.TellsUsage)
            {
                await Answer.EventAsync(context, json => WriteFrame(
                    json, head, true, () => { }, () => WriteUsage(json, head.PromptTokens, texts.Tokens)));
            }
        }
        catch (Exception e) when (e is TinyMoEException or ApiError)
        {
            await Answer.EventAsync(context, ApiError.Of(e).Write); // the status is said already
        }

        await Answer.EndEventsAsync(context);
    }

    private Task PieceAsync(
        HttpContext context, Head head, Settings settings, int index, string? text, IReadOnlyList<ServedToken>? tokens,
        GenerationEnd? end, bool isFirst = false) => Answer.EventAsync(context, json => WriteFrame(
            json, head, true, () => WriteChoice(json, index, end, () => WritePiece(json, text, tokens, isFirst)),
            settings.TellsUsage ? () => json.WriteNull("usage") : () => { }));

    private void WriteFrame(Utf8JsonWriter json, Head head, bool isEvent, Action writeChoices, Action writeRest)
    {
        json.WriteStartObject();
        json.WriteString("id", head.Id);
        json.WriteString("object", ObjectOf(isEvent));
        json.WriteNumber("created", head.Created);
        json.WriteString("model", serving.Name);
        json.WriteString("system_fingerprint", fingerprint);
        json.WriteStartArray("choices");
        writeChoices();
        json.WriteEndArray();
        writeRest();
        json.WriteEndObject();
    }

    private static void WriteChoice(Utf8JsonWriter json, int index, GenerationEnd? end, Action writeMembers)
    {
        json.WriteStartObject();
        json.WriteNumber("index", index);
        writeMembers();
        json.WriteString("finish_reason", end switch { null => null, GenerationEnd.Length => "length", _ => "stop" });
        json.WriteEndObject();
    }

    private static void WriteUsage(Utf8JsonWriter json, int prompt, int written)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", prompt);
        json.WriteNumber("completion_tokens", written);
        json.WriteNumber("total_tokens", prompt + written);
        json.WriteEndObject();
    }

    /// <summary>What all events of an answer say; a prompt counts once, however many texts go on from it.</summary>
    private sealed record Head(string Id, long Created, bool TellsTokens, int PromptTokens);
}
