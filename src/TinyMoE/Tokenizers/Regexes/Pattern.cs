using TinyMoE.Files;

namespace TinyMoE.Tokenizers.Regexes;

/// <summary>
/// A regular expression as Oniguruma reads it, matched by trying one way after another over code points. The number of steps is bounded, so
/// that a pattern which would try for ever is an error.
/// </summary>
internal sealed class Pattern : IPattern
{
    private const long FewestSteps = 20_000_000, StepsPerByte = 500;

    private readonly string expression;
    private readonly RegexInstruction[] steps;
    private readonly int turns;
    [ThreadStatic]
    private static Stack<Matcher>? idle;

    private Pattern(string expression, RegexInstruction[] steps, int turns) =>
        (this.expression, this.steps, this.turns) = (expression, steps, turns);

    /// <summary>The pattern of an expression.</summary>
    /// <exception cref="FormatException">It is none, or has what TinyMoE does not know; the message goes on after "in which".</exception>
    public static Pattern Parse(string expression)
    {
        (RegexInstruction[] steps, int turns) = RegexCompiler.Compile(RegexParser.Parse(expression));
        return new Pattern(expression, steps, turns);
    }

    /// <inheritdoc/>
    public bool Find(ReadOnlySpan<byte> utf8, int from, out int start, out int end)
    {
        Matcher matcher = (idle ??= new Stack<Matcher>()).TryPop(out Matcher? kept) ? kept : new Matcher();
        try
        {
            matcher.Begin(steps, turns, FewestSteps + (StepsPerByte * (utf8.Length - from)));
            for (start = from; start <= utf8.Length;)
            {
                end = matcher.Match(utf8, 0, start, Matcher.AnyEnd);
                if (end >= 0)
                    return true;
                if (start == utf8.Length)
                    break;
                _ = Unicode.At(utf8, start, out int length);
                start += length;
            }
        }
        catch (TimeoutException)
        {
            throw new TinyMoEException($"The pattern '{Excerpt.Of(expression)}' of the tokenizer tries too many ways in the text behind byte "
                + $"{from}: write it without a repetition inside of a repetition, or cut the text.");
        }
        finally
        {
            idle.Push(matcher);
        }

        (start, end) = (0, 0);
        return false;
    }
}
