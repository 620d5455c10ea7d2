using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using TinyMoE.App;
using TinyMoE.Generate;

namespace TinyMoE.Web.Api;

/// <summary>/v1/chat/completions: answers a conversation, which the model's chat template writes.</summary>
internal sealed class ChatApi(Serving serving) : TextApi(serving)
{
    private const int MostMessages = 10_000, MostAlternatives = 20;

    protected override bool TellsBeginning => true;

    protected override string NewId() => $"chatcmpl-{Guid.NewGuid():N}";

    protected override string ObjectOf(bool isEvent) => isEvent ? "chat.completion.chunk" : "chat.completion";

    protected override async Task<(Settings Settings, IReadOnlyList<TextRequest> Requests, bool TellsTokens)> ReadAsync(
        HttpContext context)
    {
        using Fields fields = await Fields.ReadAsync(context);
        Settings settings = Settings.Read(fields, Serving);
        int? most = fields.Whole("max_tokens", 1, Settings.MostTokens);
        most = fields.Whole("max_completion_tokens", 1, Settings.MostTokens) ?? most;
        bool tellsTokens = fields.Flag("logprobs");
        int? alternatives = fields.Whole("top_logprobs", 0, MostAlternatives);
        if (alternatives is not null && !tellsTokens)
            throw ApiError.Bad("top_logprobs", "'top_logprobs' is for requests with \"logprobs\": true.");
        fields.Refuse("response_format", IsText, "can be {\"type\": \"text\"} only: this server does not make a model write JSON.");
        JsonNode? tools = Tools(fields);
        JsonArray messages = Messages(fields.Find("messages"));
        fields.Refuse("modalities", IsTextOnly, "can be [\"text\"] only.");
        fields.RefuseOthers();
        IReadOnlyList<int> prompt = Encode(messages, tools);
        Settings.CheckLength(prompt.Count, Serving.Context - 1, "messages");
        int room = Serving.Context - prompt.Count;
        TextRequest text = new()
        {
            Prompt = prompt,
            Tokens = Math.Min(most ?? room, room),
            Alternatives = tellsTokens ? alternatives ?? 0 : null,
        };
        return (settings, [.. settings.Texts(text)], tellsTokens);
    }

    protected override void WriteWhole(Utf8JsonWriter json, string text, IReadOnlyList<ServedToken>? tokens)
    {
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        json.WriteString("content", text);
        json.WriteNull("refusal");
        json.WriteEndObject();
        WriteTokens(json, tokens);
    }

    protected override void WritePiece(Utf8JsonWriter json, string? text, IReadOnlyList<ServedToken>? tokens, bool isFirst)
    {
        json.WriteStartObject("delta");
        if (isFirst)
            json.WriteString("role", "assistant");
        if (isFirst || text is not null)
            json.WriteString("content", text ?? "");
        json.WriteEndObject();
        WriteTokens(json, tokens);
    }

    private static bool IsText(JsonElement format) => format.ValueKind == JsonValueKind.Object
        && format.TryGetProperty("type", out JsonElement type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("text");

    private static bool IsTextOnly(JsonElement list) => list.ValueKind == JsonValueKind.Array && list.GetArrayLength() == 1
        && list[0].ValueKind == JsonValueKind.String && list[0].ValueEquals("text");

    private IReadOnlyList<int> Encode(JsonArray messages, JsonNode? tools)
    {
        try
        {
            return Serving.EncodeChat(messages, tools);
        }
        catch (TinyMoEException e)
        {
            throw ApiError.Bad("messages", e.Message);
        }
    }

    /// <summary>The tools that the template is told of; null: none.</summary>
    private JsonNode? Tools(Fields fields)
    {
        const string Deprecated = "is not done by this server; use 'tools'.";
        fields.Refuse("functions", IsEmpty, Deprecated);
        fields.Refuse("function_call", _ => false, Deprecated);
        fields.Refuse("tool_choice", choice => choice.ValueKind == JsonValueKind.String
            && (choice.ValueEquals("auto") || choice.ValueEquals("none")), "can be \"auto\" or \"none\": no model is made to call one.");
        fields.Ignore("parallel_tool_calls");
        bool isOff = fields.Find("tool_choice") is { } said && said.ValueEquals("none");
        if (fields.Find("tools") is not { } tools || IsEmpty(tools) || isOff)
            return null;
        if (tools.ValueKind != JsonValueKind.Array)
            throw ApiError.Bad("tools", "'tools' must be a list.");
        return Serving.KnowsTools ? JsonNode.Parse(tools.GetRawText())
            : throw ApiError.Unsupported("tools", "is not for this model: its chat template does not tell it of tools.");
    }

    private static bool IsEmpty(JsonElement list) => list.ValueKind == JsonValueKind.Array && list.GetArrayLength() == 0;

    private static JsonArray Messages(JsonElement? field)
    {
        if (field is not { ValueKind: JsonValueKind.Array } list || list.GetArrayLength() is 0 or > MostMessages)
            throw ApiError.Bad("messages", "'messages' must be a list of one message or more.");
        return [.. list.EnumerateArray().Select((message, i) => Message(message, $"messages[{i}]"))];
    }

    private static JsonObject Message(JsonElement message, string where)
    {
        if (message.ValueKind != JsonValueKind.Object || !message.TryGetProperty("role", out JsonElement role))
            throw ApiError.Bad(where, $"'{where}' must be an object with role and content.");
        JsonObject said = new() { ["role"] = RoleOf(Fields.TextOf(role, $"{where}.role"), where) };
        foreach (JsonProperty member in message.EnumerateObject())
        {
            string name = $"{where}.{Text.OneLine(member.Name)}";
            if (member.Name == "content")
                said["content"] = Content(member.Value, name);
            else if (member.Value.ValueKind == JsonValueKind.Null || member.Name == "role")
                continue;
            else if (member.Name is "name" or "tool_call_id" or "reasoning_content")
                said[member.Name] = Fields.TextOf(member.Value, name);
            else if (member.Name == "tool_calls" && member.Value.ValueKind == JsonValueKind.Array)
                said[member.Name] = JsonNode.Parse(member.Value.GetRawText());
            else
                throw ApiError.Bad(name, $"'{name}' is not taken by this server.", "unsupported_parameter");
        }

        return said.ContainsKey("content") || said.ContainsKey("tool_calls") ? said
            : throw ApiError.Bad($"{where}.content", $"'{where}' must have a content.");
    }

    private static string RoleOf(string role, string where) => role switch
    {
        "developer" => "system", // what newer models of OpenAI's call it
        "system" or "user" or "assistant" or "tool" => role,
        _ => throw ApiError.Bad($"{where}.role", $"'{where}.role' must be system, developer, user, assistant or tool."),
    };

    /// <summary>A text, or the texts of parts, one behind the other.</summary>
    private static string? Content(JsonElement content, string where)
    {
        if (content.ValueKind == JsonValueKind.Null)
            return null;
        if (content.ValueKind != JsonValueKind.Array)
            return Fields.TextOf(content, where);
        StringBuilder text = new();
        foreach (JsonElement part in content.EnumerateArray())
        {
            if (!IsText(part) || !part.TryGetProperty("text", out JsonElement said))
                throw ApiError.Bad(where, $"'{where}' can have parts of type text only.", "unsupported_parameter");
            text.Append(Fields.TextOf(said, where));
        }

        return text.ToString();
    }

    private void WriteTokens(Utf8JsonWriter json, IReadOnlyList<ServedToken>? tokens)
    {
        if (tokens is null)
        {
            json.WriteNull("logprobs");
            return;
        }

        json.WriteStartObject("logprobs");
        json.WriteStartArray("content");
        foreach (ServedToken token in tokens)
        {
            json.WriteStartObject();
            WriteToken(json, token.Id, token.LogProbability);
            json.WriteStartArray("top_logprobs");
            foreach (TokenAlternative each in token.Alternatives ?? [])
            {
                json.WriteStartObject();
                WriteToken(json, each.Id, each.LogProbability);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNull("refusal");
        json.WriteEndObject();
    }

    private void WriteToken(Utf8JsonWriter json, int id, double? logProbability)
    {
        (string text, byte[] bytes) = Serving.Token(id);
        json.WriteString("token", text);
        json.WriteNumber("logprob", logProbability ?? 0);
        json.WriteStartArray("bytes");
        foreach (byte each in bytes)
            json.WriteNumberValue(each);
        json.WriteEndArray();
    }
}
