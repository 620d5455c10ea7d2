using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Files;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>
/// A chat template: makes one text of a conversation, as a model was trained to read it. Templates are written in Jinja, and are rendered
/// as transformers renders them: sandboxed, with trim_blocks, lstrip_blocks and loop controls. Whoever wrote a template is not trusted: it
/// can neither run for ever nor fill the memory.
/// </summary>
public sealed class ChatTemplate
{
    private readonly IReadOnlyList<Statement> statements;
    private readonly TemplateLimits limits;

    private ChatTemplate(IReadOnlyList<Statement> statements, string source, string where, TemplateLimits limits) =>
        (this.statements, Source, Where, this.limits) = (statements, source, where, limits);

    /// <summary>The template as it was written.</summary>
    public string Source { get; }

    /// <summary>What the template is called in errors.</summary>
    public string Where { get; }

    /// <summary>Reads a template; <paramref name="where"/> names it in errors.</summary>
    /// <exception cref="TinyMoEException">It is no template; the message says where and why.</exception>
    public static ChatTemplate Parse(string source, string where) => Parse(source, where, TemplateLimits.Default);

    /// <summary>Reads a template from a file in UTF-8.</summary>
    /// <exception cref="TinyMoEException">The file cannot be read, or is no template.</exception>
    public static ChatTemplate Load(string path)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true } file && file.Length > TemplateLimits.Default.Source * 4L)
                throw new TinyMoEException($"{path} is no chat template: it has {file.Length:N0} bytes.");
            return Parse(File.ReadAllText(path), path);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read the chat template {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    /// <summary>
    /// The text of a conversation; with <paramref name="addGenerationPrompt"/> it ends where the assistant's answer begins.
    /// </summary>
    /// <param name="messages">The conversation.</param>
    /// <param name="addGenerationPrompt">Whether the answer of the assistant is to follow.</param>
    /// <param name="variables">What else the template may look at: bos_token, eos_token, tools, and its own.</param>
    /// <param name="now">The time that the template's strftime_now tells; null: the clock's.</param>
    /// <exception cref="TinyMoEException">The template refuses the conversation, or cannot do what it wants to.</exception>
    public string Render(
        IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt, IReadOnlyDictionary<string, JsonNode?>? variables = null,
        DateTime? now = null)
    {
        JsonArray array = [.. messages.Select(message => new JsonObject { ["role"] = message.Role, ["content"] = message.Content })];
        return Render(array, addGenerationPrompt, variables, now);
    }

    /// <summary>
    /// The text of a conversation that is given as JSON: a list of objects with role and content, and what else a template may look at
    /// (tool_calls, content in parts).
    /// </summary>
    /// <inheritdoc cref="Render(IReadOnlyList{ChatMessage}, bool, IReadOnlyDictionary{string, JsonNode?}?, DateTime?)"/>
    public string Render(
        JsonNode messages, bool addGenerationPrompt, IReadOnlyDictionary<string, JsonNode?>? variables = null, DateTime? now = null)
    {
        TemplateRun run = new(limits, now);
        try
        {
            Scope scope = run.Scope;
            scope.Set("tools", NoneValue.Instance); // transformers always says these, and none where there are none
            scope.Set("documents", NoneValue.Instance);
            scope.Set("messages", JsonText.Read(run, messages));
            scope.Set("add_generation_prompt", addGenerationPrompt);
            foreach ((string name, JsonNode? value) in variables ?? new Dictionary<string, JsonNode?>())
                scope.Set(name, JsonText.Read(run, value));
            Statement.Run(statements, run);
            return run.Output.ToString();
        }
        catch (TemplateFailure failure)
        {
            throw Error(failure, Where + (failure.IsRaised ? " refuses the conversation" : " cannot be rendered"));
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or JsonException)
        {
            throw new TinyMoEException($"{Where} is given messages or variables that are not valid JSON.", e);
        }
    }

    /// <summary>Reads a template that may do no more than these limits say.</summary>
    internal static ChatTemplate Parse(string source, string where, TemplateLimits limits)
    {
        if (source.Length > limits.Source)
            throw new TinyMoEException($"{where} is no chat template: it has {source.Length:N0} characters.");
        try
        {
            return new ChatTemplate(TemplateParser.Parse(source, limits), source, where, limits);
        }
        catch (TemplateFailure failure)
        {
            throw Error(failure, $"{where} is no chat template");
        }
    }

    private static TinyMoEException Error(TemplateFailure failure, string what) =>
        new($"{what}: {failure.Message.TrimEnd('.')} (line {failure.Line}).", failure);
}
