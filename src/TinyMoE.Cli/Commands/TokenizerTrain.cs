using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Configuration;
using TinyMoE.Tokenizers.Training;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe tokenizer train</c>: trains a byte-pair tokenizer and writes its file.</summary>
internal sealed class TokenizerTrain
{
    private const string Examples = """
        tinymoe tokenizer train --data poems.txt --vocabulary 400 --out poems.json
        tinymoe tokenizer train --data sdk-docs --vocabulary 4096 --style llama3 --special "<|user|>" --out docs.json
        """;

    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(2);

    private readonly Option<string[]> data = Options.Texts("--data", "PATH",
        $"Files, folders or globs of text to train on, or {DataConfig.SdkDocs}: the documentation in the installed .NET SDK.");
    private readonly Option<int?> vocabulary = Options.Whole("--vocabulary", 1,
        "Number of tokens: special ones, the alphabet and merges together.");
    private readonly Option<string?> style = Options.OneOf("--style",
        "How text is cut into words, and what tokens are made of: bytes, or with sentencepiece characters. gpt2 if not said.",
        [.. Enum.GetValues<TokenizerStyle>().Select(BpeRecipe.NameOf)]);
    private readonly Option<string[]> special = Options.Texts("--special", "NAME", "Special tokens beside those of the style.");
    private readonly Option<int?> leastFrequency = Options.Whole("--min-frequency", 1, "Merge only pairs that occur that often.");
    private readonly Option<int?> mostCharacters = Options.Whole("--limit-alphabet", 1,
        "With style sentencepiece: the N commonest characters are tokens, others become bytes; all if not said.");
    private readonly Option<string?> file = Options.Text("--out", "FILE", "The tokenizer.json to write.");
    private readonly Option<bool> overwrite = Options.Flag("--overwrite", "Replace the file if it is there.");
    private readonly Option<int?> threads = Options.Threads();
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        TokenizerTrain train = new();
        foreach (Option option in (Option[])[train.data, train.vocabulary, train.file])
            option.Required = true;
        train.data.Validators.Add(Options.RequirePaths);
        CommandWithExamples command = new(
            "train", "Train a byte-pair tokenizer, as huggingface/tokenizers would, and write its tokenizer.json.", Examples)
        {
            train.data, train.vocabulary, train.style, train.special, train.leastFrequency, train.mostCharacters, train.file,
            train.overwrite, train.threads, train.json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(train.mostCharacters) is not null && result.GetValue(train.style) != "sentencepiece")
                result.AddError("--limit-alphabet is for --style sentencepiece; the alphabet of the others is the 256 bytes");
        });
        command.SetAction(train.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        TokenizerStyle chosen = parsed.GetValue(style) is { } name ? Enum.Parse<TokenizerStyle>(name, ignoreCase: true) : default;
        BpeRecipe recipe = new(parsed.GetValue(vocabulary)!.Value, chosen)
        {
            Special = parsed.GetValue(special) ?? [],
            LeastFrequency = parsed.GetValue(leastFrequency) ?? 0,
            MostCharacters = parsed.GetValue(mostCharacters),
        };
        TokenizerRequest request = new(parsed.GetValue(data)!, recipe, parsed.GetValue(file)!)
        {
            Overwrite = parsed.GetValue(overwrite),
            Threads = parsed.GetValue(threads),
        };
        TextWriter output = parsed.InvocationConfiguration.Output;
        bool quiet = parsed.GetValue(json);
        using Interrupts interrupts = new();
        try
        {
            TokenizerOutcome outcome = TokenizerTraining.Run(request, quiet ? null : Progress(output), interrupts.Token);
            if (quiet)
                output.WriteLine(Printable.Json(ToJson(outcome)));
            else
                Write(output, outcome, recipe);
            return Cli.Done;
        }
        catch (OperationCanceledException)
        {
            (quiet ? parsed.InvocationConfiguration.Error : output).WriteLine("stopped: no tokenizer is written");
            return interrupts.ExitCode;
        }
    }

    /// <summary>A line now and then.</summary>
    private static Action<TokenizerProgress> Progress(TextWriter output)
    {
        Stopwatch silence = Stopwatch.StartNew();
        return progress =>
        {
            if (silence.Elapsed < BetweenLines)
                return;
            silence.Restart();
            output.WriteLine(progress.Tokens > 0
                ? $"{Number(progress.Tokens)} tokens"
                : $"{Words.Mebibytes(progress.Bytes)} read");
            output.Flush();
        };
    }

    private static void Write(TextWriter output, TokenizerOutcome outcome, BpeRecipe recipe)
    {
        foreach (string note in outcome.Notes)
            output.WriteLine(Words.Note(note));
        string words = $"{Number(outcome.Words)} words, {Number(outcome.DifferentWords)} of them different";
        output.WriteLine($"{Words.Mebibytes(outcome.Bytes)} of text: {words}");
        output.WriteLine($"vocabulary {outcome.Vocabulary}, {outcome.Merges} of it merged; the text has {Number(outcome.Tokens)} tokens, "
            + string.Create(CultureInfo.InvariantCulture, $"{(double)outcome.Bytes / outcome.Tokens:F2} bytes per token"));
        if (outcome.Vocabulary < recipe.Vocabulary)
            output.WriteLine(Words.Note($"the text has no pairs left for the {recipe.Vocabulary} tokens that were asked for"));
        output.WriteLine($"the tokenizer is in {Words.OneLine(outcome.File)}");
    }

    private static string ToJson(TokenizerOutcome outcome) => new JsonObject
    {
        ["kind"] = "tokenizer",
        ["file"] = outcome.File,
        ["vocabulary"] = outcome.Vocabulary,
        ["merges"] = outcome.Merges,
        ["bytes"] = outcome.Bytes,
        ["words"] = outcome.Words,
        ["different_words"] = outcome.DifferentWords,
        ["tokens"] = outcome.Tokens,
        ["notes"] = new JsonArray([.. outcome.Notes.Select(note => (JsonNode?)note)]),
    }.ToJsonString(JsonSerializerOptions.Default);

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
