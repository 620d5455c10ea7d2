using System.Globalization;
using System.IO.Enumeration;
using static System.FormattableString;

namespace TinyMoE.Layers;

/// <summary>
/// Which parameters train (<c>train.trainable</c>): patterns with commas between, of which those with ! before them take away. A pattern is
/// <c>all</c>; a part of the model, as <c>attention</c> or <c>shared-experts</c>; <c>layers.8-</c>, <c>layers.2-5</c> or <c>layers.3</c>,
/// which a part or a name may follow, as in <c>layers.8-.experts</c>; or a name, in which * stands for anything. Where the first one takes
/// away, all others train. <c>st-moe</c> is all but experts and routers (Zoph et al. 2022, table 5: as good as all), <c>flan-moe</c> all
/// but routers (Shen et al. 2023).
/// </summary>
internal sealed class Trainable
{
    private const string Key = "train.trainable", LayersOf = "layers.";

    private static readonly Dictionary<string, string> Presets = new() { ["st-moe"] = "!experts,!router", ["flan-moe"] = "!router" };

    private static readonly Dictionary<string, ModelPart> Parts =
        Enum.GetValues<ModelPart>().Where(part => part != ModelPart.Other).ToDictionary(NameOf);

    private readonly List<Pattern> patterns;
    private readonly bool startsWithAll;

    private Trainable(List<Pattern> patterns) =>
        (this.patterns, startsWithAll) = (patterns, patterns.Count > 0 && patterns[0].TakesAway);

    /// <summary>Reads the patterns.</summary>
    /// <exception cref="TinyMoEException">One is empty, or no range of layers.</exception>
    public static Trainable Parse(string text)
    {
        string whole = Presets.GetValueOrDefault(text.Trim(), text);
        return new Trainable([.. whole.Split(',', StringSplitOptions.TrimEntries).Select(Pattern.Parse)]);
    }

    /// <summary>The name of a part, as patterns have it.</summary>
    public static string NameOf(ModelPart part) => part switch
    {
        ModelPart.AttentionExperts => "attention-experts",
        ModelPart.SharedExperts => "shared-experts",
        ModelPart.FeedForward => "feed-forward",
        _ => part.ToString().ToLowerInvariant(),
    };

    /// <summary>Freezes what does not train.</summary>
    /// <exception cref="TinyMoEException">A pattern hits no parameter, or nothing is left to train.</exception>
    public void Freeze(IReadOnlyList<Parameter> parameters)
    {
        foreach (Pattern pattern in patterns)
        {
            if (!parameters.Any(pattern.Hits))
            {
                IEnumerable<string> parts = parameters.Select(parameter => NameOf(parameter.Part)).Distinct();
                throw new TinyMoEException(
                    $"{Key}: '{Files.Excerpt.Of(pattern.Text)}' hits no weight of the model; its parts are {string.Join(", ", parts)}.");
            }
        }

        foreach (Parameter parameter in parameters)
            parameter.IsFrozen |= !Trains(parameter);
        if (parameters.All(parameter => parameter.IsFrozen))
            throw new TinyMoEException($"{Key} leaves nothing to train; name a part of the model, as in {Key}=attention,router.");
    }

    /// <summary>What trains and what is frozen, part by part, in a line; none: all trains.</summary>
    public static IReadOnlyList<string> Notes(IReadOnlyList<Parameter> parameters)
    {
        if (!parameters.Any(parameter => parameter.IsFrozen))
            return [];
        long trained = parameters.Where(parameter => !parameter.IsFrozen).Sum(parameter => (long)parameter.Count);
        long all = parameters.Sum(parameter => (long)parameter.Count);
        return [Invariant($"trains {trained:N0} of {all:N0} weights: {Of(frozen: false)}; frozen: {Of(frozen: true)}")];

        string Of(bool frozen) => string.Join(", ", parameters.Where(parameter => parameter.IsFrozen == frozen)
            .GroupBy(parameter => parameter.Part).OrderBy(part => part.Key)
            .Select(part => Invariant($"{NameOf(part.Key)} {part.Sum(p => (long)p.Count):N0}")));
    }

    /// <summary>The last pattern that hits a parameter decides.</summary>
    private bool Trains(Parameter parameter) =>
        patterns.FindLast(pattern => pattern.Hits(parameter)) is { } last ? !last.TakesAway : startsWithAll;

    /// <summary>One of them.</summary>
    /// <param name="Text">As it was written.</param>
    /// <param name="TakesAway">Whether it takes away.</param>
    /// <param name="First">The first layer; null: of any, and of none.</param>
    /// <param name="Last">The last layer.</param>
    /// <param name="What">The part or the name, which of layers comes behind theirs; empty: all.</param>
    private sealed record Pattern(string Text, bool TakesAway, int? First, int Last, string What)
    {
        public static Pattern Parse(string text)
        {
            bool takesAway = text.StartsWith('!');
            string what = takesAway ? text[1..] : text;
            if (what.Length == 0)
                throw new TinyMoEException($"{Key} has an empty pattern; name a part of the model, as in {Key}=attention,router.");
            if (what == "all")
                return new Pattern(text, takesAway, null, 0, "");
            if (!what.StartsWith(LayersOf, StringComparison.Ordinal) || what.StartsWith("layers.*", StringComparison.Ordinal))
                return new Pattern(text, takesAway, null, 0, what);
            string[] pieces = what[LayersOf.Length..].Split('.', 2);
            string[] ends = pieces[0].Split('-');
            if (ends.Length > 2 || !IsLayer(ends[0], out int first) || (ends is [_, { Length: > 0 } end] && !IsLayer(end, out _)))
                throw new TinyMoEException($"{Key}: '{Files.Excerpt.Of(text)}' names no layers; write layers.3, layers.2-5 or layers.8-.");
            int last = ends.Length == 1 ? first : ends[1].Length == 0 ? int.MaxValue : int.Parse(ends[1], CultureInfo.InvariantCulture);
            return new Pattern(text, takesAway, first, last, pieces.Length > 1 ? pieces[1] : "");
        }

        public bool Hits(Parameter parameter)
        {
            string name = parameter.Name;
            if (First is { } first)
            {
                if (!name.StartsWith(LayersOf, StringComparison.Ordinal))
                    return false;
                string[] pieces = name[LayersOf.Length..].Split('.', 2);
                if (int.Parse(pieces[0], CultureInfo.InvariantCulture) is var layer && (layer < first || layer > Last))
                    return false;
                name = pieces[1];
            }

            return What.Length == 0 || (Parts.TryGetValue(What, out ModelPart part) && part == parameter.Part)
                || FileSystemName.MatchesSimpleExpression(What, name, ignoreCase: false);
        }

        private static bool IsLayer(string text, out int layer) =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out layer);
    }
}
