using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Tokenizers;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe tokenizer show</c>: prints what a tokenizer makes of a text.</summary>
internal sealed class TokenizerShow
{
    private const string Examples = """
        tinymoe tokenizer show --tokenizer poems.json --text "a rose is a rose"
        tinymoe tokenizer show --tokenizer runs/mixtral-tiny --file poems.txt
        """;

    private readonly Option<string?> tokenizer = Options.Text("--tokenizer", "PATH",
        "A tokenizer.json, vocab.json beside merges.txt, tokenizer.model or lines of tiktoken; a folder that has one; or a run.");
    private readonly Option<string?> text = Options.Text("--text", "TEXT", "The text; one that begins with a dash as --text=\"-x\".");
    private readonly Option<string?> file = Options.Text("--file", "FILE", "A file with the text, in UTF-8.");
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        TokenizerShow show = new();
        show.tokenizer.Required = true;
        CommandWithExamples command = new("show", "Show the tokens of a text.", Examples)
        {
            show.tokenizer, show.text, show.file, show.json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(show.text) is null == result.GetResult(show.file) is null)
                result.AddError("a text is needed: name it by --text or by --file, one of them");
        });
        command.SetAction(show.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        string place = parsed.GetValue(tokenizer)!;
        TokenizedText tokens = parsed.GetValue(text) is { } words
            ? TokenizedText.Of(place, words)
            : TokenizedText.OfFile(place, parsed.GetValue(file)!);
        TextWriter output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
            output.WriteLine(Printable.Json(ToJson(tokens)));
        else
            Write(output, tokens);
        return Cli.Done;
    }

    private static void Write(TextWriter output, TokenizedText text)
    {
        foreach (string note in text.Notes)
            output.WriteLine(Words.Note(note));
        int width = text.Tokens.Select(token => token.Id.ToString(CultureInfo.InvariantCulture).Length).Append(2).Max();
        string[] places = [.. text.Tokens.Select(token => string.Create(CultureInfo.InvariantCulture, $"{token.Start}-{token.End}"))];
        int room = places.Select(place => place.Length).Append("place".Length).Max();
        output.WriteLine($"{"id".PadLeft(width)}  {"place".PadRight(room)}  token");
        foreach ((int i, PlacedToken token) in text.Tokens.Index())
        {
            string id = token.Id.ToString(CultureInfo.InvariantCulture).PadLeft(width);
            output.WriteLine($"{id}  {places[i].PadRight(room)}  {Printable.OnOneLine(text.Texts[i])}");
        }

        int count = text.Tokens.Count, added = text.IdsWithSpecial.Count - count;
        string around = added > 0 ? $", and {added} that the tokenizer puts around it" : "";
        double bytes = (double)text.Bytes / Math.Max(1, count);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{count} tokens of {text.Bytes} bytes{around}; {bytes:F2} bytes each"));
    }

    private static string ToJson(TokenizedText text) => new JsonObject
    {
        ["kind"] = "tokens",
        ["ids"] = List(text.Tokens.Select(token => (JsonNode?)token.Id)),
        ["ids_with_special"] = List(text.IdsWithSpecial.Select(id => (JsonNode?)id)),
        ["tokens"] = List(text.Texts.Select(token => (JsonNode?)token)),
        ["offsets"] = List(text.Tokens.Select(token => (JsonNode?)new JsonArray(token.Start, token.End))),
        ["decoded"] = text.Decoded,
        ["decoded_skip_special"] = text.DecodedSkipSpecial,
    }.ToJsonString(JsonSerializerOptions.Default);

    private static JsonArray List(IEnumerable<JsonNode?> items) => [.. items];
}
