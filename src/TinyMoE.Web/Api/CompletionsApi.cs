using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using TinyMoE.App;
using TinyMoE.Generate;

namespace TinyMoE.Web.Api;

/// <summary>/v1/completions: goes on from texts or ids.</summary>
internal sealed class CompletionsApi(Serving serving) : TextApi(serving)
{
    private const int UsualTokens = 16, MostPrompts = 256, MostAlternatives = 20;

    protected override string NewId() => $"cmpl-{Guid.NewGuid():N}";

    protected override string ObjectOf(bool isEvent) => "text_completion";

    protected override async Task<(Settings Settings, IReadOnlyList<TextRequest> Requests, bool TellsTokens)> ReadAsync(
        HttpContext context)
    {
        using Fields fields = await Fields.ReadAsync(context);
        Settings settings = Settings.Read(fields, Serving);
        fields.Refuse("best_of", best => best.TryGetWhole(out int count) && count == settings.Count,
            "must be as n: all texts are told, none is left out.");
        fields.Refuse("suffix", suffix => suffix.ValueKind == JsonValueKind.String && suffix.ValueEquals(""),
            "is not done by this server: its models write on, not in between.");
        bool echoes = fields.Flag("echo");
        int tokens = fields.Whole("max_tokens", 0, Settings.MostTokens) ?? UsualTokens;
        int? alternatives = fields.Whole("logprobs", 0, MostAlternatives);
        string? label = fields.Text("label");
        List<(IReadOnlyList<int> Ids, string? Text)> prompts = Prompts(fields.Find("prompt"));
        fields.RefuseOthers();
        if (tokens == 0 && !echoes)
            throw ApiError.Bad("max_tokens", "'max_tokens' can be 0 only with \"echo\": true, for the log-probabilities of the prompt.");
        foreach ((IReadOnlyList<int> ids, _) in prompts)
            Settings.CheckLength(ids.Count, Serving.Context, "prompt");
        IEnumerable<TextRequest> requests = prompts.SelectMany(prompt => settings.Texts(new TextRequest
        {
            Prompt = prompt.Ids,
            Tokens = tokens,
            Alternatives = alternatives,
            Echo = echoes ? prompt.Text ?? Serving.Decode(prompt.Ids) : null,
            Label = label,
        }));
        return (settings, [.. requests], alternatives is not null);
    }

    protected override void WriteWhole(Utf8JsonWriter json, string text, IReadOnlyList<ServedToken>? tokens)
    {
        json.WriteString("text", text);
        WriteTokens(json, tokens);
    }

    protected override void WritePiece(Utf8JsonWriter json, string? text, IReadOnlyList<ServedToken>? tokens, bool isFirst) =>
        WriteWhole(json, text ?? "", tokens);

    /// <summary>A text, a list of texts, ids, or a list of lists of ids; nothing: the model begins by itself.</summary>
    private List<(IReadOnlyList<int> Ids, string? Text)> Prompts(JsonElement? field)
    {
        if (field is not { } prompt)
            return [(Serving.Encode(""), "")];
        if (prompt.ValueKind == JsonValueKind.String)
            return [OfText(prompt)];
        if (prompt.ValueKind != JsonValueKind.Array || prompt.GetArrayLength() == 0)
            throw WrongPrompt();
        if (prompt[0].ValueKind == JsonValueKind.Number)
            return [(Ids(prompt), null)];
        if (prompt.GetArrayLength() > MostPrompts)
            throw ApiError.Bad("prompt", $"'prompt' can be a list of at most {MostPrompts} texts.");
        return [.. prompt.EnumerateArray().Select(item => item.ValueKind switch
        {
            JsonValueKind.String => OfText(item),
            JsonValueKind.Array => (Ids(item), null),
            _ => throw WrongPrompt(),
        })];
    }

    private (IReadOnlyList<int> Ids, string? Text) OfText(JsonElement prompt)
    {
        string text = Fields.TextOf(prompt, "prompt");
        try
        {
            IReadOnlyList<int> ids = Serving.Encode(text);
            return ids.Count > 0 ? (ids, text) : throw ApiError.Bad("prompt", "The prompt has no token.");
        }
        catch (TinyMoEException e)
        {
            throw ApiError.Bad("prompt", e.Message);
        }
    }

    private List<int> Ids(JsonElement list)
    {
        List<int> ids = [];
        foreach (JsonElement item in list.EnumerateArray())
            ids.Add(item.TryGetWhole(out int id) && id >= 0 && id < Serving.Vocabulary ? id : throw WrongPrompt());
        return ids.Count > 0 ? ids : throw WrongPrompt();
    }

    private ApiError WrongPrompt() => ApiError.Bad("prompt",
        $"'prompt' must be a text, a list of texts, a list of ids from 0 to {Serving.Vocabulary - 1}, or a list of such lists.");

    private void WriteTokens(Utf8JsonWriter json, IReadOnlyList<ServedToken>? tokens)
    {
        if (tokens is null)
        {
            json.WriteNull("logprobs");
            return;
        }

        json.WriteStartObject("logprobs");
        WriteAll("tokens", token => json.WriteStringValue(Name(token.Id)));
        WriteAll("token_logprobs", token => json.WriteNumberOrNull(token.LogProbability));
        WriteAll("top_logprobs", WriteAlternatives);
        WriteAll("text_offset", token => json.WriteNumberValue(token.Offset));
        json.WriteEndObject();

        void WriteAll(string name, Action<ServedToken> write)
        {
            json.WriteStartArray(name);
            foreach (ServedToken token in tokens)
                write(token);
            json.WriteEndArray();
        }

        // The chosen token is one of them, at the end where it is none of the likeliest.
        void WriteAlternatives(ServedToken token)
        {
            if (token.Alternatives is not { } alternatives || token.LogProbability is not { } own)
            {
                json.WriteNullValue();
                return;
            }

            HashSet<string> names = []; // two ids may have one text
            json.WriteStartObject();
            foreach (TokenAlternative each in alternatives.Append(new TokenAlternative(token.Id, own)))
            {
                if (names.Add(Name(each.Id)))
                    json.WriteNumber(Name(each.Id), each.LogProbability);
            }

            json.WriteEndObject();
        }
    }

    /// <summary>A token's text; bytes that are none by themselves as OpenAI writes them: bytes:\xe2\x80.</summary>
    private string Name(int id)
    {
        (string text, byte[] bytes) = Serving.Token(id);
        if (!text.Contains('\uFFFD', StringComparison.Ordinal) || bytes.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(text)))
            return text;
        return "bytes:" + string.Concat(bytes.Select(each => string.Create(CultureInfo.InvariantCulture, $"\\x{each:x2}")));
    }
}
