using System.CommandLine;
using TinyMoE.Generate;

namespace TinyMoE.Cli;

/// <summary>The options that say how tokens are drawn, and where a text ends.</summary>
internal sealed class SamplingArguments
{
    private readonly Option<float?> temperature = Options.Number("--temperature", x => x >= 0, "a number, at least 0",
        "How daring: 0 always takes the likeliest token, 1 draws as the model believes; 0.8 if not said.");
    private readonly Option<int?> topK = Options.Whole("--top-k", 0, "Draw among the K likeliest tokens; 0 or not said: all.");
    private readonly Option<float?> topP = Options.Number("--top-p", x => x is > 0 and <= 1, "a number above 0 and at most 1",
        "Draw among the likeliest tokens that together have probability P; 1 or not said: all.");
    private readonly Option<float?> minP = Options.Number("--min-p", x => x is >= 0 and <= 1, "a number from 0 to 1",
        "Draw among tokens at least P times as likely as the likeliest; 0 or not said: all.");
    private readonly Option<float?> repetitionPenalty = Options.Number("--repetition-penalty", x => x > 0, "a number above 0",
        "Above 1: tokens that were there before become less likely; 1 if not said.");
    private readonly Option<string[]> stop = new("--stop")
    {
        HelpName = "TEXT",
        Description = "End at this text, which is not written; may be said several times.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<ulong?> seed = Options.Seed("Another seed, another text; 1 if not said.");

    /// <summary>Texts to stop at.</summary>
    public string[] StopTexts(ParseResult parsed) => parsed.GetResult(stop) is null ? [] : parsed.GetValue(stop) ?? [];

    /// <summary>Adds the options to a command; what a command has of its own stands before the seed.</summary>
    public void AddTo(Command command, params Option[] own)
    {
        Option[] all = [temperature, topK, topP, minP, repetitionPenalty, stop, .. own, seed];
        foreach (Option option in all)
            command.Add(option);
        command.Validators.Add(result =>
        {
            if (result.GetResult(stop)?.Tokens.Any(token => token.Value.Length == 0) == true)
                result.AddError("--stop needs a text that is not empty");
        });
    }

    /// <summary>What was said, or the usual values.</summary>
    public SamplingOptions Read(ParseResult parsed) => new()
    {
        Temperature = parsed.GetValue(temperature) ?? 0.8f,
        TopK = parsed.GetValue(topK) ?? 0,
        TopP = parsed.GetValue(topP) ?? 1f,
        MinP = parsed.GetValue(minP) ?? 0f,
        RepetitionPenalty = parsed.GetValue(repetitionPenalty) ?? 1f,
        Seed = parsed.GetValue(seed) ?? 1,
    };
}
