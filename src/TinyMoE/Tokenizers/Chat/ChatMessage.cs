namespace TinyMoE.Tokenizers.Chat;

/// <summary>A message of a conversation.</summary>
/// <param name="Role">Who says it: user, assistant, system, or what else a template knows.</param>
/// <param name="Content">What is said.</param>
public sealed record ChatMessage(string Role, string Content);
