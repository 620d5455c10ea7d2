using System.Text.Json.Nodes;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Configuration;
using TinyMoE.Inspect;
using TinyMoE.Train;

namespace TinyMoE.Tests.Cli;

public sealed class ProgressTests
{
    private static readonly EvalReport Eval = new(100, 1.5, 4.4817, 2.164);

    [Fact]
    public void Watch_NoTerminal_WritesALineForEveryTwentiethAndTheEvaluation()
    {
        string[] lines = Lines(json: false);
        Assert.Equal("CPU; 1.23M weights, 456.8k active per token", lines[0]);
        Assert.Equal("90.0k tokens to learn, 10.0k held out, vocabulary 97", lines[1]);
        Assert.Equal(21, lines.Count(line => line.StartsWith("step ", StringComparison.Ordinal)));
        const string First = "step   1/100  loss 2.0000  rate 1.00e-3  950 tokens/s  ";
        Assert.Contains(lines, line => line.StartsWith(First, StringComparison.Ordinal));
        Assert.Equal("note: moe.x has no effect", lines[3]);
        Assert.Contains("warning: layer 1 is collapsing: [nearly] all", lines);
        Assert.Contains("evaluation at step 100: loss 1.5000, perplexity 4.48, 2.164 bits per byte (best so far)", lines);
        Assert.Contains(
            lines,
            line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
                is ["1", "█", "75%", "▄", "25%", "0%", "0%", "0.406", "0.75", "2.00", "2"]);
        Assert.DoesNotContain(lines, line => line.Contains('\u001b', StringComparison.Ordinal));
    }

    [Fact]
    public void Watch_Json_WritesOneObjectALineAndNothingElse()
    {
        string[] kinds = [.. Lines(json: true).Select(line => JsonNode.Parse(line)!["kind"]!.GetValue<string>())];
        Assert.Equal(["note", .. Enumerable.Repeat("train", 100), "eval", "routing", "warning"], kinds);
    }

    [Fact]
    public void RoutingTable_ManyExperts_HasABarEach()
    {
        StringWriter output = new();
        RoutingTable.Write(Consoles.For(output), [new RoutingReport(1, 0, [.. Enumerable.Repeat(1 / 64f, 64)], new float[64], 1, 0, 0)]);
        Assert.Contains(new string('▄', 64), output.ToString());
    }

    [Fact]
    public void RoutingTable_WhatIsThere_HasAColumn()
    {
        RoutingReport layer = new(1, 0, [0.5f, 0.5f], [0.5f, 0.5f], null, 0, 0);
        Assert.DoesNotContain("dropped", Text(console => RoutingTable.Write(console, [layer])), StringComparison.Ordinal);
        Assert.DoesNotContain("changed", Text(console => RoutingTable.Write(console, [layer])), StringComparison.Ordinal);
        RoutingReport[] layers = [layer with { Dropped = 0.125f, Changed = 0.25f }, layer with { Layer = 1 }];
        string[] lines = Text(console => RoutingTable.Write(console, layers)).Split('\n');
        Assert.EndsWith("entropy top gate max over dead dropped changed", lines[1].TrimEnd(), StringComparison.Ordinal);
        Assert.EndsWith("-     0.00     0.00    0   12.5%     25%", lines[2].TrimEnd(), StringComparison.Ordinal);
        Assert.EndsWith("0.0%", lines[3].TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public void DomainTable_HasARowADomain_AndBarsForEachLayer()
    {
        DomainLoad[] domains = [new("a [b]", 0.75f, [1f, 0f]), new("(3 more)", 0.25f, [0.25f, 0.75f])];
        RoutingReport layer = new(1, 0, [0.5f, 0.5f], [0.5f, 0.5f], null, 0, 0, Domains: domains);
        string[] lines = Text(console => DomainTable.Write(console, [layer, layer with { Layer = 3 }])).Split('\n');
        Assert.Equal(["a", "[b]", "75%", "█", "█"], lines[2].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(["(3", "more)", "25%", "▂▆", "▂▆"], lines[3].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal("", Text(console => DomainTable.Write(console, [layer with { Domains = null }])));
        Assert.Equal("", Text(console => DomainTable.Write(console, [])));
    }

    [Fact]
    public void CoActivationMap_ShadesPairs_OrSaysWhyNot()
    {
        RoutingReport layer = new(1, 2, [], [], null, 0, 0, CoActivation: [[0.5f, 0.2f, 0f], [0.2f, 0.5f, 0.1f], [0f, 0.1f, 0.3f]]);
        string[] lines = TextOf(layer).Split('\n');
        Assert.Equal(["layer 2, experts chosen together (█ 20 % of the tokens)", "   0 ··██  ", "   1 ██··▒▒", "   2   ▒▒··"], lines[1..5]);
        Assert.Contains("no token has two", TextOf(layer with { CoActivation = [[0.5f, 0f], [0f, 0.5f]] }), StringComparison.Ordinal);
        Assert.Contains("too many", TextOf(layer with { CoActivation = null }), StringComparison.Ordinal);

        static string TextOf(RoutingReport report) => Text(console => CoActivationMap.Write(console, [report]));
    }

    [Fact]
    public void RoutingTable_DenseModel_WritesNothing()
    {
        StringWriter output = new();
        RoutingTable.Write(Consoles.For(output), []);
        Assert.Equal("", output.ToString());
    }

    [Fact]
    public void TrainSummary_FolderWithASpace_IsQuotedInTheCommands()
    {
        TrainingRequest request = new(new RunConfig { Train = new TrainConfig { Steps = 600 } }, "my runs/a");
        MemoryReport memory = new(7, 500 << 20, 400 << 20, 390 << 20);
        StringWriter stopped = new(), atStart = new(), finished = new();
        TrainSummary.Stopped(stopped, request, new TrainingResult(7, Finished: false, 2.5, 5, memory));
        TrainSummary.Stopped(atStart, request, new TrainingResult(0, Finished: false, 2.5, 5, memory));
        TrainingResult done = new(600, Finished: true, 1.5, 500, memory);
        TrainSummary.Finished(finished, request, done, new TextSample("Returns\nthe value", "-a b", "The "), TimeSpan.FromSeconds(62));
        Assert.Contains("stopped after step 7 of 600 and saved in my runs/a; go on with:", stopped.ToString());
        Assert.Contains("stopped before the first step and saved in my runs/a; go on with:", atStart.ToString());
        string quoted = OperatingSystem.IsWindows() ? "\"my runs/a\"" : "'my runs/a'";
        Assert.Contains($"tinymoe train --resume --out {quoted}", stopped.ToString());
        Assert.Contains("600 steps done, this time in 1:02", finished.ToString());
        Assert.Contains("memory: 500.0 MiB at most, 400.0 MiB of it for the model; 390.0 MiB predicted", finished.ToString());
        Assert.Contains("  Returns\n  the value", finished.ToString().ReplaceLineEndings("\n"));
        string more = $"--prompt {Typed.Word("The ")} --label={Typed.Word("-a b")}";
        Assert.Contains($"tinymoe generate --run {quoted} {more}", finished.ToString());
    }

    [Theory]
    [InlineData(false, "stopped while the text was read: nothing was trained, and nothing is saved\n")]
    [InlineData(
        true, "stopped while the text was read: the run in runs/a is as it was; go on with:\n  tinymoe train --resume --out runs/a\n")]
    public void TrainSummary_OfNothing_PromisesNothing(bool resume, string text)
    {
        StringWriter output = new();
        TrainSummary.NothingDone(output, new TrainingRequest(new RunConfig(), "runs/a") { Resume = resume });
        Assert.Equal(text, output.ToString().ReplaceLineEndings("\n"));
    }

    private static string Text(Action<Spectre.Console.IAnsiConsole> write)
    {
        StringWriter output = new();
        write(Consoles.For(output));
        return output.ToString().ReplaceLineEndings("\n");
    }

    private static string[] Lines(bool json)
    {
        StringWriter output = new();
        Progress.Watch(output, json, listener =>
        {
            NoteReport note = new(0, "moe.x has no effect");
            listener.OnStart(new TrainingStart("CPU", 1_234_567, 456_789, 90_000, 10_000, 97, 1, 100, [note]));
            for (int step = 1; step <= 100; step++)
                listener.OnStep(new StepReport(step, 2f, new Dictionary<string, float>(), 1e-3f, 1f, 950));
            RoutingReport routing = new(100, 1, [0.75f, 0.25f, 0, 0], [3, 1, 0, 0], 0.406f, 2f, 2, TopGate: 0.75f);
            listener.OnEvaluation(Eval, [routing], best: true);
            listener.OnWarning(new WarningReport(100, 1, "layer 1 is collapsing: [nearly] all"));
            listener.OnCheckpoint(100, "somewhere");
            return true;
        });
        return output.ToString().ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
    }
}
