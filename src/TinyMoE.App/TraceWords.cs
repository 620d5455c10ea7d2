using TinyMoE.Data;
using TinyMoE.Tokenizers;

namespace TinyMoE.App;

/// <summary>What ids and labels of a trace are called.</summary>
internal sealed class TraceWords
{
    private readonly string?[] tokens;
    private readonly LabelSet? labels;

    /// <summary>The tokens of a model's tokenizer, and the labels of its text; null: it has none, or all has one.</summary>
    public TraceWords(Tokenizer tokenizer, LabelSet? labels)
    {
        tokens = [.. Enumerable.Range(0, tokenizer.Vocabulary).Select(tokenizer.TokenText)];
        this.labels = labels;
    }

    /// <summary>Whether tokens have labels that tell them apart.</summary>
    public bool HasLabels => labels is not null;

    /// <summary>The token as its tokenizer writes it; null: the model has the id, and the tokenizer has not.</summary>
    public string? Token(int id) => id >= 0 && id < tokens.Length ? tokens[id] : null;

    /// <summary>The name of a label; null: labels tell nothing apart.</summary>
    public string? Label(int label) => labels?[label];
}
