namespace TinyMoE.Tests.Cli;

public sealed class UsageTests
{
    [Theory]
    [InlineData("trian", "unknown command 'trian'; did you mean 'train'?", "tinymoe")]
    [InlineData("[diagram]", "unknown command '[diagram]'", "tinymoe")]
    [InlineData("train|--stepz|5", "unknown option '--stepz'; did you mean '--steps'?", "tinymoe train")]
    [InlineData("train|--set|model.width=3|--stepz=5", "unknown option '--stepz'; did you mean '--steps'?", "tinymoe train")]
    [InlineData("generate|--run|x|--prompt|--tokns", "unknown option '--tokns'; did you mean '--tokens'?", "tinymoe generate")]
    [InlineData("train|-x", "unknown option '-x'", "tinymoe train")]
    [InlineData("train|--steps", "--steps needs a value", "tinymoe train")]
    [InlineData("train|--data|--resume", "--data needs a value", "tinymoe train")]
    [InlineData("train|--out|--json", "--out needs a value", "tinymoe train")]
    [InlineData("train|--steps|5|--steps|6", "--steps is given 2 times", "tinymoe train")]
    [InlineData("train|--steps|abc", "--steps needs a whole number, at least 1, not 'abc'", "tinymoe train")]
    [InlineData("train|--steps|0", "--steps needs a whole number, at least 1, not '0'", "tinymoe train")]
    [InlineData("train|--stop-at|-1", "--stop-at needs a whole number, at least 1, not '-1'", "tinymoe train")]
    [InlineData("train|--threads|0", "--threads needs a whole number from 1 to 1024, not '0'", "tinymoe train")]
    [InlineData("train|--threads|1025", "--threads needs a whole number from 1 to 1024, not '1025'", "tinymoe train")]
    [InlineData("eval|--run|x|--threads|99999999999", "--threads needs a whole number from 1 to 1024, not '99999999999'", "tinymoe eval")]
    [InlineData("train|--device|gpu", "--device has no 'gpu'; known: cpu, cuda, cuda:N (N from 0), auto", "tinymoe train")]
    [InlineData("train|--device|cuda:-1", "--device has no 'cuda:-1'; known: cpu, cuda, cuda:N (N from 0), auto", "tinymoe train")]
    [InlineData("train|--device|cuda:1|--threads|2", "--threads is for the processor; leave it out with --device cuda:1", "tinymoe train")]
    [InlineData("eval|--run|x|--tensor-cores|tf32", "--tensor-cores is for a card; it needs --device cuda", "tinymoe eval")]
    [InlineData("train|--grouped|loop", "--grouped is for a card; it needs --device cuda", "tinymoe train")]
    [InlineData("train|--device|cuda|--grouped|ours", "--grouped has no 'ours'; known: auto, cublas, loop, own", "tinymoe train")]
    [InlineData(
        "generate|--run|x|--device|cuda|--tensor-cores|fp8", "--tensor-cores has no 'fp8'; known: off, tf32, bfloat16", "tinymoe generate")]
    [InlineData("train|--seed|-1", "--seed needs a whole number, at least 0, not '-1'", "tinymoe train")]
    [InlineData("tokenizer|train|--data", "--data needs a value", "tinymoe tokenizer train")]
    [InlineData("tokenizer|shwo", "unknown command 'shwo'; did you mean 'show'?", "tinymoe tokenizer")]
    [InlineData("train|--preset|nano|--config|x.json", "--preset and --config exclude each other; name one", "tinymoe train")]
    [InlineData("train|--set|width", "--set needs key=value, as in model.width=256, not 'width'", "tinymoe train")]
    [InlineData("train|--set|=3", "--set needs key=value, as in model.width=256, not '=3'", "tinymoe train")]
    [InlineData("train|--keep-schedule", "--keep-schedule is for a run that goes on; it needs --resume", "tinymoe train")]
    [InlineData("train|--init|x|--resume", "--init begins a new run and --resume goes on with one; name one", "tinymoe train")]
    [InlineData(
        "train|--init|x|--preset|nano",
        "--init takes the configuration of its run, which excludes --preset and --config; change keys with --set", "tinymoe train")]
    [InlineData("train|extra", "'extra' is one word too many (a text of several words goes in quotes)", "tinymoe train")]
    [InlineData("train|--json|5", "'5' is one word too many (a text of several words goes in quotes)", "tinymoe train")]
    [InlineData("eval", "eval needs --run DIR or --model DIR", "tinymoe eval")]
    [InlineData("eval|--run|x|--labels|file", "--labels needs --data; the run's own text has the labels of its training", "tinymoe eval")]
    [InlineData("eval|--run|x|--windows|-1", "--windows needs a whole number, at least 1, not '-1'", "tinymoe eval")]
    [InlineData("generate|--run|x|--tokens|0", "--tokens needs a whole number, at least 1, not '0'", "tinymoe generate")]
    [InlineData("generate|--run|x|--temperature|-1", "--temperature needs a number, at least 0, not '-1'", "tinymoe generate")]
    [InlineData("generate|--run|x|--temperature|nan", "--temperature needs a number, at least 0, not 'nan'", "tinymoe generate")]
    [InlineData("generate|--run|x|--top-p|0", "--top-p needs a number above 0 and at most 1, not '0'", "tinymoe generate")]
    [InlineData("generate|--run|x|--top-p|1.5", "--top-p needs a number above 0 and at most 1, not '1.5'", "tinymoe generate")]
    [InlineData("generate|--run|x|--top-k|-2", "--top-k needs a whole number, at least 0, not '-2'", "tinymoe generate")]
    [InlineData("info|--run|x|--preset|nano", "--run and --model exclude --preset and --config; name one", "tinymoe info")]
    public void Run_WrongUsage_IsOneLineAndWhereTheHelpIs(string line, string message, string command)
    {
        CommandLine result = CommandLine.Run(line.Split('|'));
        Assert.Equal(2, result.ExitCode);
        Assert.Equal([$"tinymoe: {message}", $"try '{command} --help'"], result.ErrorLines);
        Assert.Equal("", result.Output);
    }

    [Theory]
    [InlineData("train|--preset|nanno", "unknown preset 'nanno'; did you mean 'nano'?")]
    [InlineData("train|--config|no-such.json", "no-such.json: there is no such file")]
    [InlineData("train|--set|model.widht=3", "unknown key 'model.widht'; did you mean 'model.width'?")]
    [InlineData("train|--set|model.width=3|model.layers=x", "model.layers needs a whole number, not 'x'")]
    [InlineData("train|--init|no-such-run|--out|no-other", "There is no folder no-such-run; give the folder of a run")]
    [InlineData(
        "info|--set|model.heads=2|attention.heads=4", "model.heads and attention.heads are the same key; keep attention.heads")]
    [InlineData(
        "info|--set|attention.heads=4|model.width=64|model.heads=4",
        "attention.heads and model.heads are the same key; keep attention.heads")]
    [InlineData("train|--tokenizer|bpe:x", "'bpe:x' names no number of tokens; write it as bpe:4096.")]
    [InlineData("tokenizer|show|--tokenizer||--text|a", "The name of a tokenizer is empty; name a tokenizer.json")]
    [InlineData("tokenizer|train|--data|x|--vocabulary|300|--out|", "the name of the tokenizer's file is empty; name one by --out")]
    [InlineData("train|--set|moe.active=9", "moe.active=9 must be from 1 to moe.experts=8")]
    [InlineData("info|--preset|nano|--set|attention.heads=3", "attention.heads=3 does not divide model.width=128")]
    [InlineData("train|--resume|--out|no-such-run", "no-such-run has no run to resume")]
    [InlineData("eval|--run|no-such-run", "There is no folder no-such-run")]
    [InlineData("generate|--run|no-such-run|--prompt=--text", "There is no folder no-such-run")]
    [InlineData("generate|--run|no-such-run|--prompt|@text", "There is no folder no-such-run")]
    [InlineData("info|--run|no-such-run", "There is no folder no-such-run")]
    [InlineData("eval|--run|", "The name of a run's folder is empty; name one.")]
    [InlineData("generate|--run|", "The name of a run's folder is empty; name one.")]
    [InlineData("info|--run|", "The name of a run's folder is empty; name one.")]
    [InlineData("verify|--run|", "The name of a run's folder is empty; name one.")]
    [InlineData("train|--init||--out|no-other", "The name of a run's folder is empty; name one.")]
    [InlineData("train|--init||--data|text.txt", "The name of a run's folder is empty; name one.")]
    [InlineData("train|--out|", "The name of a run's folder is empty; name one.")]
    public void Run_WhatCannotBeDone_IsOneLine(string line, string message)
    {
        CommandLine result = CommandLine.Run(line.Split('|'));
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith($"tinymoe: {message}", Assert.Single(result.ErrorLines));
        Assert.Equal("", result.Output);
    }

    [Theory]
    [InlineData("train|--set|{0}=1")]
    [InlineData("train|--set|{0}")]
    [InlineData("train|--{0}")]
    [InlineData("train|{0}")]
    [InlineData("{0}")]
    [InlineData("train|--threads|{0}")]
    [InlineData("train|--device|{0}")]
    [InlineData("train|--tokenizer|{0}")]
    [InlineData("train|--preset|{0}")]
    public void Run_AWordThatIsFarTooLong_IsClipped(string line)
    {
        string word = new('x', 1_000_000);
        CommandLine result = CommandLine.Run(line.Replace("{0}", word, StringComparison.Ordinal).Split('|'));
        Assert.NotEqual(0, result.ExitCode);
        Assert.InRange(result.Error.Length, 100, 500);
        Assert.Contains("xxx...", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_FolderHoldsSomethingElse_IsNotTouched()
    {
        string folder = Directory.CreateTempSubdirectory("tinymoe").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(folder, "last"));
            File.WriteAllText(Path.Combine(folder, "last", "config.json"), "{}");
            CommandLine result = CommandLine.Run("train", "--out", folder);
            Assert.Equal(1, result.ExitCode);
            Assert.Contains("holds last, which no run of tinymoe has written", Assert.Single(result.ErrorLines));
            Assert.Equal("{}", File.ReadAllText(Path.Combine(folder, "last", "config.json")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
