namespace TinyMoE.Tokenizers.Chat;

/// <summary>
/// How much a template may do: whoever wrote it is not trusted. Real templates over long conversations with tools stay far below.
/// </summary>
internal sealed record TemplateLimits
{
    /// <summary>The limits unless others are said.</summary>
    public static TemplateLimits Default { get; } = new();

    /// <summary>Characters of a template.</summary>
    public int Source { get; init; } = 1 << 20;

    /// <summary>Expressions inside one another, and statements likewise.</summary>
    public int Nesting { get; init; } = 200;

    /// <summary>Macros that call one another.</summary>
    public int Calls { get; init; } = 50;

    /// <summary>Expressions and statements that are computed, items that are visited, and sixteenths of characters that are made.</summary>
    public long Steps { get; init; } = 5_000_000;

    /// <summary>Characters of one string, the output among them, and items of one list.</summary>
    public int Size { get; init; } = 1 << 24;

    /// <summary>Numbers of one range, as the original's sandbox has it.</summary>
    public int Range { get; init; } = 100_000;

    /// <summary>Values inside one another.</summary>
    public int Depth { get; init; } = 200;

    /// <summary>Bits of a whole number.</summary>
    public int Bits { get; init; } = 4096;
}
