using System.Text.RegularExpressions;
using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Generate;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Tokenizers.Chat;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>All that serving needs of a model that is open.</summary>
internal sealed partial class ServedModel : IDisposable
{
    private readonly OpenedModel opened;
    private readonly ModelFolder folder;

    private ServedModel(ServingRequest request)
    {
        folder = request.Model;
        opened = OpenedModel.Open(folder);
        try
        {
            Tokenizer = opened.LoadTokenizer();
            ReadTemplate(request);
            ChatOptions chat = Chatting.OptionsOf(new ChatOptions(), opened, Tokenizer);
            Prompt = Template is null ? null : new ChatPrompt(Template, chat, chat.Encode!);
            (Writable, StopTokens, StopTexts) = (chat.Writable, chat.StopTokens, chat.StopTexts);
            Labels = opened.Config.Moe.RoutesByLabel ? opened.LoadLabels() : null;
            Backend = request.Device.Open(opened.Config);
            Decoder = opened.LoadModel(Backend);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public RunConfig Config => opened.Config;

    /// <summary>The step of the model, of a run.</summary>
    public int Step => opened.Step;

    public IReadOnlyList<NoteReport> Notes => opened.Notes;

    public Tokenizer Tokenizer { get; }

    /// <summary>What a text begins with that nobody begins.</summary>
    public IReadOnlyList<int> Start => TextGeneration.StartOf("", folder, Tokenizer, opened);

    /// <summary>How conversations are written; null: nobody knows.</summary>
    public ChatTemplate? Template { get; private set; }

    /// <summary>Why the model's own template is none; null: it is, or there is none.</summary>
    public string? TemplateError { get; private set; }

    public ChatPrompt? Prompt { get; }

    /// <summary>Whether the template looks at tools.</summary>
    public bool KnowsTools => Template is not null && ToolsName().IsMatch(Template.Source);

    public IReadOnlyList<int>? Writable { get; }

    public IReadOnlySet<int> StopTokens { get; }

    public IReadOnlyList<string> StopTexts { get; }

    public LabelSet? Labels { get; }

    public Backend Backend { get; } = null!;

    public Decoder Decoder { get; } = null!;

    public static ServedModel Open(ServingRequest request) => new(request);

    public void Dispose()
    {
        Decoder?.Dispose();
        Backend?.Dispose();
        opened.Dispose();
    }

    /// <summary>A template that was named must be one; the model's own may be none, and then there are completions only.</summary>
    private void ReadTemplate(ServingRequest request)
    {
        if (request.Template is null && opened.ChatTemplate is null)
            return;
        try
        {
            Template = Chatting.TemplateOf(request.Template, request.Model, opened);
        }
        catch (TinyMoEException e) when (request.Template is null)
        {
            TemplateError = e.Message;
        }
    }

    [GeneratedRegex(@"\btools\b")]
    private static partial Regex ToolsName();
}
