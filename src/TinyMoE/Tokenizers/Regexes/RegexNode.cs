namespace TinyMoE.Tokenizers.Regexes;

/// <summary>A part of a regular expression.</summary>
internal abstract record RegexNode
{
    /// <summary>The fewest and the most characters that it matches; the most is -1 where there is no end to them.</summary>
    public abstract (int Fewest, int Most) Length { get; }

    /// <summary>One character of a set.</summary>
    internal sealed record One(CharacterSet Set) : RegexNode
    {
        public override (int Fewest, int Most) Length => (1, 1);
    }

    /// <summary>All of several, one after another.</summary>
    internal sealed record Sequence(IReadOnlyList<RegexNode> Parts) : RegexNode
    {
        public override (int Fewest, int Most) Length => Parts.Aggregate((0, 0), ((int Fewest, int Most) sum, RegexNode part) => (
            Math.Min(int.MaxValue / 2, sum.Fewest) + Math.Min(int.MaxValue / 2, part.Length.Fewest),
            sum.Most < 0 || part.Length.Most < 0 ? -1 : (int)Math.Min(int.MaxValue, (long)sum.Most + part.Length.Most)));
    }

    /// <summary>The first of several that goes.</summary>
    internal sealed record Either(IReadOnlyList<RegexNode> Parts) : RegexNode
    {
        public override (int Fewest, int Most) Length => (
            Parts.Min(part => part.Length.Fewest), Parts.Any(part => part.Length.Most < 0) ? -1 : Parts.Max(part => part.Length.Most));
    }

    /// <summary>From <c>Least</c> to <c>Most</c> times (-1: without end), as often or as seldom as can be.</summary>
    internal sealed record Repeat(RegexNode Part, int Least, int Most, bool IsLazy) : RegexNode
    {
        public override (int Fewest, int Most) Length => (
            (int)Math.Min(int.MaxValue / 2, (long)Part.Length.Fewest * Least),
            Most < 0 || Part.Length.Most < 0 ? -1 : (int)Math.Min(int.MaxValue, (long)Part.Length.Most * Most));
    }

    /// <summary>The first way that goes, and no other.</summary>
    internal sealed record Atomic(RegexNode Part) : RegexNode
    {
        public override (int Fewest, int Most) Length => Part.Length;
    }

    /// <summary>Whether something is, or is not, before or behind the place.</summary>
    internal sealed record Look(RegexNode Part, bool IsBehind, bool IsNot) : RegexNode
    {
        public override (int Fewest, int Most) Length => (0, 0);
    }

    /// <summary>A place of a kind.</summary>
    internal sealed record Anchor(AnchorKind Kind) : RegexNode
    {
        public override (int Fewest, int Most) Length => (0, 0);
    }
}

/// <summary>A kind of place in a text.</summary>
internal enum AnchorKind
{
    /// <summary><c>^</c>: where a line begins.</summary>
    LineStart,

    /// <summary><c>$</c>: where a line ends.</summary>
    LineEnd,

    /// <summary><c>\A</c>: where the text begins.</summary>
    TextStart,

    /// <summary><c>\z</c>: where the text ends.</summary>
    TextEnd,

    /// <summary><c>\Z</c>: where the text ends, or its last line feed is.</summary>
    LastLineEnd,

    /// <summary><c>\b</c>: between a word character and another.</summary>
    WordEdge,

    /// <summary><c>\B</c>: everywhere else.</summary>
    NoWordEdge,
}
