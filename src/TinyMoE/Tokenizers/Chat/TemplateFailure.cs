namespace TinyMoE.Tokenizers.Chat;

/// <summary>What a template cannot do; <see cref="ChatTemplate"/> makes a <see cref="TinyMoEException"/> of it.</summary>
internal sealed class TemplateFailure(string message, int line = 0) : Exception(message)
{
    /// <summary>The line of the template, from 1; 0: not known yet, the innermost expression or statement around it fills it in.</summary>
    public int Line { get; set; } = line;

    /// <summary>The template refused the messages by itself, with raise_exception.</summary>
    public bool IsRaised { get; init; }
}
