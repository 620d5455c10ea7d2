using System.Text.Json;
using TinyMoE.Configuration;

namespace TinyMoE.Tokenizers;

/// <summary>A kind of tokenizer: what it is called, how it wants text, and how one is made of a text or read from a file.</summary>
/// <param name="Name">Its name in files and in <c>data.tokenizer</c>.</param>
/// <param name="Form">What a file holds, for the error about another one: <c>{"kind":"byte"}</c>.</param>
/// <param name="Cleaning">What becomes of a text before it is cut.</param>
/// <param name="Learn">The tokenizer for a text in UTF-8; it may learn its vocabulary from it.</param>
/// <param name="Read">
/// The tokenizer of the JSON object that <see cref="Tokenizer.Save"/> wrote; throws a <see cref="FormatException"/>, or what JSON elements
/// throw, for another.
/// </param>
/// <param name="Vocabulary">Number of ids where every text has as many; 0: it depends on the text.</param>
public sealed record TokenizerType(
    string Name,
    string Form,
    TextCleaning Cleaning,
    Func<ReadOnlySpan<byte>, Tokenizer> Learn,
    Func<JsonElement, Tokenizer> Read,
    int Vocabulary = 0)
{
    /// <summary>All that this build knows; a new kind is one file, its value of <c>data.tokenizer</c>, and its line here.</summary>
    public static IReadOnlyList<TokenizerType> All { get; } = [CharTokenizer.Description, ByteTokenizer.Description, BpeTokenizer.Description];

    /// <summary>The type that <c>data.tokenizer</c> names.</summary>
    public static TokenizerType Of(TokenizerKind kind)
    {
        string name = JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString());
        return All.FirstOrDefault(type => type.Name == name)
            ?? throw new ArgumentOutOfRangeException(nameof(kind), kind, "No tokenizer has this name.");
    }
}
