
namespace TinyMoE.Configuration;

/// <summary>How text becomes ids.</summary>
public enum TokenizerKind
{
    /// <summary>One id per Unicode character that occurs in the data.</summary>
    Char,

    /// <summary>One id per byte; anything goes.</summary>
    Byte,

    /// <summary>Ids for pieces of words by byte pair encoding; trained before the run, or another's.</summary>
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

    /// <summary>What cuts text into tokens: Unicode characters or bytes.</summary>
    public TokenizerKind Tokenizer { get; init; } = TokenizerKind.Char;

    /// <summary>Share of the text, at the end of every source (or of every label's text), that is held out for validation.</summary>
    public float Validation { get; init; } = 0.1f;
}
