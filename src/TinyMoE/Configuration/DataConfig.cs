
namespace TinyMoE.Configuration;

/// <summary>How text becomes ids.</summary>
public enum TokenizerKind
{
    /// <summary>One id per Unicode character that occurs in the data.</summary>
    Char,

    /// <summary>One id per byte; anything goes.</summary>
    Byte,

    /// <summary>Ids for pieces of words by byte-pair encoding; trained on the text that is to train on, or another's.</summary>
    Bpe,
}

/// <summary>What a token's label, its domain or task, is.</summary>
public enum LabelKind
{
    /// <summary>
    /// The source that it comes from: its name in <c>name=path</c>, else
    /// the last name of the path; in the built-in corpus, the namespace.
    /// </summary>
    Source,

    /// <summary>The name of its file without extension.</summary>
    File,

    /// <summary>What its record says: files are JSON Lines of <c>{"text": "...", "label": "..."}</c>.</summary>
    Record,
}

/// <summary>Text, its labels, and the tokenizer. Keys <c>data.*</c>.</summary>
public sealed record DataConfig
{
    /// <summary>The name of the built-in corpus: the API documentation of the installed .NET SDK.</summary>
    public const string SdkDocs = "sdk-docs";

    /// <summary>Files, folders or globs of text, or <see cref="SdkDocs"/>; <c>name=path</c> names one.</summary>
    public IReadOnlyList<string> Sources { get; init; } = [SdkDocs];

    /// <summary>
    /// A token's label: the source it comes from, its file, or what its record says (files are then JSON Lines of text and label).
    /// </summary>
    public LabelKind Labels { get; init; } = LabelKind.Source;

    /// <summary>
    /// What cuts text into tokens: Unicode characters, bytes, or byte-pair encoding, which is trained on the text first.
    /// </summary>
    public TokenizerKind Tokenizer { get; init; } = TokenizerKind.Char;

    /// <summary>Tokens that <c>data.tokenizer=bpe</c> is trained to have; fewer if the text runs out of pairs.</summary>
    public int TokenizerVocabulary { get; init; } = 4096;

    /// <summary>How <c>data.tokenizer=bpe</c> cuts text into words, as the models do that its values are named after.</summary>
    public TokenizerStyle TokenizerStyle { get; init; } = TokenizerStyle.Gpt2;

    /// <summary>
    /// The file of a tokenizer to take, of the kind that <c>data.tokenizer</c> says, instead of making one of the text. The run keeps a
    /// copy; none if empty.
    /// </summary>
    public string TokenizerFile { get; init; } = "";

    /// <summary>Share of the text, at the end of every source (or of every label's text), that is held out for validation.</summary>
    public float Validation { get; init; } = 0.1f;
}
