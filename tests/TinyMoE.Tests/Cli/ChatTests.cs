using System.Text.Json;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Cli;

/// <summary>What a person types to chat, and where a text is to end; on a model that was trained for a moment.</summary>
public sealed class ChatTests : IClassFixture<ChatTests.Trained>
{
    private readonly TemporaryFolder folder;

    public ChatTests(Trained trained) => folder = trained.Folder;

    [Fact]
    public void Chat_OfAPipe_AnswersEveryLine()
    {
        CommandLine result = Chat("hello\n\nmore\n/exit\nnever\n", "--temperature", "0", "--tokens", "5");

        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Equal(2, result.OutputLines.Length);
        Assert.DoesNotContain("> ", result.Output, StringComparison.Ordinal);
        Assert.Equal("", Chat("").Output);
    }

    [Fact]
    public void Chat_Reset_BeginsAnew()
    {
        string[] lines = Chat("hello\n/reset\nhello\n", "--tokens", "6", "--seed", "9").OutputLines;
        Assert.Equal(lines[0], lines[1]);
    }

    [Fact]
    public void Chat_ThatCannotBe_IsOneLine()
    {
        AssertFails("--template", CommandLine.Run(new StringReader("a\n"), ["chat", "--run", folder["run"]]));
        string[] missing = ["chat", "--run", folder["run"], "--template", "nothing.jinja"];
        AssertFails("nothing.jinja", CommandLine.Run(new StringReader("a\n"), missing));
        AssertFails("too long", Chat(new string('a', 500) + "\n"));
        AssertFails("not among", Chat("\u20ac\n"));
        string refuses = folder.Write("refuses.jinja", "{{ raise_exception('no\\nway') }}");
        AssertFails("no way", CommandLine.Run(new StringReader("a\n"), ["chat", "--run", folder["run"], "--template", refuses]));
    }

    [Fact]
    public void Generate_Json_HoldsIdsTextAndWhyItEnded()
    {
        JsonElement all = Generate("--prompt", "the cat", "--tokens", "20");
        Assert.Equal("the cat", all.GetProperty("prompt").GetString());
        Assert.Equal((20, "length"), (all.GetProperty("ids").GetArrayLength(), all.GetProperty("stopped").GetString()));
        string text = all.GetProperty("text").GetString()!;
        string stop = text.Substring(4, 3);

        JsonElement stopped = Generate("--prompt", "the cat", "--tokens", "20", "--stop", "%%", "--stop", stop);
        Assert.Equal("text", stopped.GetProperty("stopped").GetString());
        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], stopped.GetProperty("text").GetString());
        CommandLine plain = CommandLine.Run(
            "generate", "--run", folder["run"], "--temperature", "0", "--prompt", "the cat", "--tokens", "20", "--stop", stop);
        Assert.Equal("the cat" + stopped.GetProperty("text").GetString(), plain.Output.TrimEnd('\r', '\n'));
    }

    [Fact]
    public void Generate_Ids_GoesOnFromThem()
    {
        JsonElement byText = Generate("--prompt", "ab", "--tokens", "9", "--min-p", "0.1", "--repetition-penalty", "1.2");
        int first = JsonDocument.Parse(File.ReadAllText(folder["run/last/tokenizer.json"])).RootElement.GetProperty("symbols")
            .EnumerateArray().Select(symbol => symbol.GetString()).ToList().IndexOf("a");
        JsonElement byIds = Generate("--ids", $"{first},{first + 1}", "--tokens", "9", "--min-p", "0.1", "--repetition-penalty", "1.2");

        Assert.Equal(byText.GetProperty("ids").ToString(), byIds.GetProperty("ids").ToString());
        Assert.False(byIds.TryGetProperty("prompt", out _));
        AssertFails("the id 9999", CommandLine.Run("generate", "--run", folder["run"], "--ids", "9999"));
    }

    [Theory]
    [InlineData("--ids", "1,x", "--ids needs whole numbers")]
    [InlineData("--ids", "", "--ids needs at least one id")]
    [InlineData("--min-p", "2", "--min-p needs a number from 0 to 1")]
    [InlineData("--repetition-penalty", "0", "--repetition-penalty needs a number above 0")]
    [InlineData("--stop", "", "--stop needs a text that is not empty")]
    public void Generate_WrongOption_IsUsage(string option, string value, string expected)
    {
        CommandLine result = CommandLine.Run("generate", "--run", "x", option, value);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.ErrorLines[0]);
    }

    private static void AssertFails(string expected, CommandLine result)
    {
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(expected, Assert.Single(result.ErrorLines));
    }

    private JsonElement Generate(params string[] args)
    {
        CommandLine result = CommandLine.Run(["generate", "--run", folder["run"], "--temperature", "0", "--json", .. args]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return JsonDocument.Parse(Assert.Single(result.OutputLines)).RootElement;
    }

    private CommandLine Chat(string input, params string[] args)
    {
        string template = folder.Write("chat.jinja", "{% for m in messages %}{{ m.role[0] }} {{ m.content }}\n{% endfor %}a ");
        return CommandLine.Run(new StringReader(input), ["chat", "--run", folder["run"], "--template", template, .. args]);
    }

    /// <summary>A run of two steps, on characters.</summary>
    public sealed class Trained : IDisposable
    {
        public Trained()
        {
            string data = Folder.Write("text.txt", string.Concat(Enumerable.Repeat("the cat sat: abcdefghijklmnopqrstuvwxyz\n", 90)));
            CommandLine result = CommandLine.Run(
                "train", "--data", data, "--out", Folder["run"], "--steps", "2", "--threads", "1", "--set", "model.width=32",
                "model.layers=1", "model.context=64", "moe.hidden=16", "train.batch=2", "train.eval_windows=2", "train.warmup=1");
            Assert.Equal((0, ""), (result.ExitCode, result.Error));
        }

        internal TemporaryFolder Folder { get; } = new();

        public void Dispose() => Folder.Dispose();
    }
}
