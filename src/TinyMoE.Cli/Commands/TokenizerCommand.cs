using System.CommandLine;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe tokenizer</c>: trains tokenizers and shows what they do.</summary>
internal static class TokenizerCommand
{
    private const string Examples = """
        tinymoe tokenizer train --data poems.txt --vocabulary 400 --out poems.json
        tinymoe tokenizer show --tokenizer poems.json --text "a rose is a rose"
        """;

    public static Command Create()
    {
        CommandWithExamples command = new("tokenizer", "Train a tokenizer on text, or show what one makes of a text.", Examples)
        {
            TokenizerTrain.Create(),
            TokenizerShow.Create(),
        };
        command.SetAction(new HelpWithExamples().Invoke);
        return command;
    }
}
