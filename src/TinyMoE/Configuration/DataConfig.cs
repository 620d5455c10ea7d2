namespace TinyMoE.Configuration;

/// <summary>How text becomes ids.</summary>
public enum TokenizerKind
{
    /// <summary>One id a Unicode character that occurs in the data.</summary>
    Char,

    /// <summary>One id a byte; anything goes.</summary>
    Byte,
}

/// <summary>Text and tokenizer. Keys <c>data.*</c>.</summary>
public sealed record DataConfig
{
    /// <summary>The name of the built-in corpus: the API documentation of the installed .NET SDK.</summary>
    public const string SdkDocs = "sdk-docs";

    /// <summary>Files, folders or globs of text, or <see cref="SdkDocs"/>.</summary>
    public IReadOnlyList<string> Sources { get; init; } = [SdkDocs];

    /// <summary>The tokenizer.</summary>
    public TokenizerKind Tokenizer { get; init; } = TokenizerKind.Char;

    /// <summary>Share of the text, at its end, that is held out for validation.</summary>
    public float Validation { get; init; } = 0.1f;
}
