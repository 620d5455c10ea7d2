using System.Text.Json.Nodes;

namespace TinyMoE.Generate;

/// <summary>How a chat is led.</summary>
public sealed record ChatOptions
{
    /// <summary>What the model is told before all messages; null: nothing.</summary>
    public string? System { get; init; }

    /// <summary>Tokens of an answer at most.</summary>
    public int Tokens { get; init; } = 300;

    /// <summary>Settings for drawing tokens; every answer has a seed of its own, which follows from this one.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Tokens that end an answer, and are not part of its text.</summary>
    public IReadOnlySet<int> StopTokens { get; init; } = new HashSet<int>();

    /// <summary>Texts that end an answer, and are not part of it.</summary>
    public IReadOnlyList<string> StopTexts { get; init; } = [];

    /// <summary>The ids that may be written, rising; null: all of the model's.</summary>
    public IReadOnlyList<int>? Writable { get; init; }

    /// <summary>What the template may look at beside the messages: bos_token, eos_token, and its own.</summary>
    public IReadOnlyDictionary<string, JsonNode?> Variables { get; init; } = new Dictionary<string, JsonNode?>();

    /// <summary>The time that the template tells; null: the clock's.</summary>
    public DateTime? Now { get; init; }

    /// <summary>
    /// The texts of the tokenizer's special tokens. In what a person or the model says they are no special tokens. Those that are added but
    /// not special are left out, as &lt;/think&gt;: templates look for them in what was said.
    /// </summary>
    public IReadOnlyList<string> SpecialTexts { get; init; } = [];

    /// <summary>
    /// The ids of a text without anything added; the second argument says whether special tokens in it are recognised. Null: the tokenizer
    /// knows none, as those of this version.
    /// </summary>
    /// <remarks>The seam for tokenizers with special tokens: whoever opens such a model sets this and <see cref="SpecialTexts"/>.</remarks>
    public Func<string, bool, int[]>? Encode { get; init; }
}
