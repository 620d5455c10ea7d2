using System.Text;
using System.Text.Json.Nodes;
using TinyMoE.Tokenizers.Chat;

namespace TinyMoE.Generate;

/// <summary>
/// Makes ids of a conversation. Special tokens that the template writes become such tokens; where a message spells one, it stays text, so
/// that nobody can end a turn, or begin one of another role, by what he says. For that a mark is put into such spellings before the
/// template is rendered, and taken out of its text after.
/// </summary>
internal sealed class ChatPrompt(ChatTemplate template, ChatOptions options, Func<string, bool, int[]> encode)
{
    private const char Mark = '\uFDD0'; // no character: texts have none, and templates leave it as it is
    private const char Edge = '\uFDD1'; // the same, for where a content begins and ends
    private const string Escaped = "\\ufdd0"; // where a template writes JSON in ASCII

    private readonly string[] specials = [.. options.SpecialTexts.Where(text => text.Length > 0).OrderByDescending(text => text.Length)];

    /// <summary>The ids of a conversation up to where the assistant's answer begins.</summary>
    public List<int> Encode(IReadOnlyList<ChatMessage> messages) => Encode(
        [.. messages.Select(message => new JsonObject { ["role"] = message.Role, ["content"] = message.Content })]);

    /// <summary>The same of messages as JSON, which may hold more, with the tools that the template is told of; null: none.</summary>
    public List<int> Encode(JsonArray messages, JsonNode? tools = null)
    {
        Dictionary<string, JsonNode?> variables = new(options.Variables);
        if (tools is not null)
            variables["tools"] = Marked(tools);
        string text = template.Render(Marked(messages)!, addGenerationPrompt: true, variables, options.Now);
        text = text.Replace(Escaped, Mark.ToString(), StringComparison.Ordinal);
        List<int> ids = [];
        int start = 0;
        for (int mark = text.IndexOf(Mark, StringComparison.Ordinal); mark >= 0; mark = text.IndexOf(Mark, mark))
        {
            text = text.Remove(mark, 1);
            string? special = mark == 0 ? null
                : specials.FirstOrDefault(special => string.CompareOrdinal(text, mark - 1, special, 0, special.Length) == 0);
            if (special is null)
                continue; // the template cut it
            Add(text[start..(mark - 1)], true);
            Add(text.Substring(mark - 1, special.Length), false);
            start = mark - 1 + special.Length;
            mark = start;
        }

        Add(text[start..], true);
        return ids;

        void Add(string part, bool hasSpecials)
        {
            if (part.Length > 0)
                ids.AddRange(encode(part, hasSpecials));
        }
    }

    /// <summary>
    /// What the template writes before the content of the last message, and after it up to where the answer begins; null: it does not write
    /// that content.
    /// </summary>
    public (string Before, string After)? AroundLast(JsonArray messages)
    {
        JsonArray edged = (JsonArray)messages.DeepClone();
        JsonObject last = edged[^1]!.AsObject();
        last["content"] = $"{Edge}{(string?)last["content"]}{Edge}";
        string text = template.Render(edged, addGenerationPrompt: true, new Dictionary<string, JsonNode?>(options.Variables), options.Now);
        (int from, int to) = (text.IndexOf(Edge, StringComparison.Ordinal), text.LastIndexOf(Edge));
        return from < to ? (text[..from], text[(to + 1)..]) : null;
    }

    /// <summary>A copy with all texts marked, but for the role and the type of a message or a part of one.</summary>
    private JsonNode? Marked(JsonNode? node, string? name = null) => node switch
    {
        JsonObject members => new JsonObject(members.Select(member => KeyValuePair.Create(member.Key, Marked(member.Value, member.Key)))),
        JsonArray items => new JsonArray([.. items.Select(item => Marked(item))]),
        JsonValue value when name is not ("role" or "type") && value.TryGetValue(out string? text) => Marked(text),
        _ => node?.DeepClone(),
    };

    /// <summary>A message with a mark behind the first character of each spelling of a special token.</summary>
    private string Marked(string content)
    {
        content = content.Replace(Mark.ToString(), "", StringComparison.Ordinal);
        if (!specials.Any(special => content.Contains(special, StringComparison.Ordinal)))
            return content;
        StringBuilder marked = new();
        for (int i = 0; i < content.Length;)
        {
            string? special = specials.FirstOrDefault(special => string.CompareOrdinal(content, i, special, 0, special.Length) == 0);
            marked.Append(content[i]);
            if (special is not null)
                marked.Append(Mark).Append(special, 1, special.Length - 1);
            i += special?.Length ?? 1;
        }

        return marked.ToString();
    }
}
