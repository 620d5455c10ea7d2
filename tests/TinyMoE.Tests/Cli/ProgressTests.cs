using System.Text.Json.Nodes;
using TinyMoE.Cli;
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
        Assert.Equal("CPU; 1.23M weights, 456.8k active for a token", lines[0]);
        Assert.Equal("90.0k tokens to learn, 10.0k held out, vocabulary 97", lines[1]);
        Assert.Equal(21, lines.Count(line => line.StartsWith("step ", StringComparison.Ordinal)));
        Assert.Contains(lines, line => line.StartsWith("step   1/100  loss 2.0000  rate 1.00e-3  950 tokens/s  ", StringComparison.Ordinal));
        Assert.Equal("note: moe.x has no effect", lines[3]);
        Assert.Contains("warning: layer 1 is collapsing: [nearly] all", lines);
        Assert.Contains("evaluation at step 100: loss 1.5000, perplexity 4.48, 2.164 bits a byte (best so far)", lines);
        Assert.Contains(lines, line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is ["1", "█", "75%", "▄", "25%", "0%", "0%", "0.406", "0.75", "2.00", "2"]);
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
        string[] lines = Text(console => RoutingTable.Write(console, [layer with { Dropped = 0.125f, Changed = 0.25f }, layer with { Layer = 1 }])).Split('\n');
        Assert.EndsWith("entropy top gate max over dead dropped changed", lines[1].TrimEnd(), StringComparison.Ordinal);
        Assert.EndsWith("-     0.00     0.00    0   12.5%     25%", lines[2].TrimEnd(), StringComparison.Ordinal);
        Assert.EndsWith("0.0%", lines[3].TrimEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public void DomainTable_HasARowADomain_AndBarsForEachLayer()
    {
        RoutingReport layer = new(1, 0, [0.5f, 0.5f], [0.5f, 0.5f], null, 0, 0, Domains: [new DomainLoad("a [b]", 0.75f, [1f, 0f]), new DomainLoad("(3 more)", 0.25f, [0.25f, 0.75f])]);
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
        string[] lines = Text(console => CoActivationMap.Write(console, [layer])).Split('\n');
        Assert.Equal(["layer 2, experts chosen together (█ 20 % of the tokens)", "   0 ··██  ", "   1 ██··▒▒", "   2   ▒▒··"], lines[1..5]);
        Assert.Contains("no token has two", Text(console => CoActivationMap.Write(console, [layer with { CoActivation = [[0.5f, 0f], [0f, 0.5f]] }])), StringComparison.Ordinal);
        Assert.Contains("too many", Text(console => CoActivationMap.Write(console, [layer with { CoActivation = null }])), StringComparison.Ordinal);
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
        TrainOptions options = new(new RunConfig { Train = new TrainConfig { Steps = 600 } }, "my runs/a", Resume: false, StopAt: null, new DeviceChoice(), Profile: false);
        MemoryReport memory = new(7, 500 << 20, 400 << 20, 390 << 20);
        StringWriter stopped = new(), finished = new();
        TrainSummary.Stopped(stopped, options, new TrainingResult(7, Finished: false, 2.5, 5, memory));
        TrainSummary.Finished(finished, options, new TrainingResult(600, Finished: true, 1.5, 500, memory), "Returns\nthe value", TimeSpan.FromSeconds(62));
        Assert.Contains("stopped after step 7 of 600", stopped.ToString());
        Assert.Contains("tinymoe train --resume --out \"my runs/a\"", stopped.ToString());
        Assert.Contains("600 steps done, this time in 1:02", finished.ToString());
        Assert.Contains("memory: 500.0 MiB at most, 400.0 MiB of it for the model; tinymoe info predicts 390.0 MiB", finished.ToString());
        Assert.Contains("  Returns\n  the value", finished.ToString().ReplaceLineEndings("\n"));
        Assert.Contains("tinymoe generate --run \"my runs/a\"", finished.ToString());
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
            listener.OnStart(new TrainingStart("CPU", 1_234_567, 456_789, 90_000, 10_000, 97, 1, 100, [new NoteReport(0, "moe.x has no effect")]));
            for (int step = 1; step <= 100; step++)
                listener.OnStep(new StepReport(step, 2f, new Dictionary<string, float>(), 1e-3f, 1f, 950));
            listener.OnEvaluation(Eval, [new RoutingReport(100, 1, [0.75f, 0.25f, 0, 0], [3, 1, 0, 0], 0.406f, 2f, 2, TopGate: 0.75f)], best: true);
            listener.OnWarning(new WarningReport(100, 1, "layer 1 is collapsing: [nearly] all"));
            listener.OnCheckpoint(100, "somewhere");
            return true;
        });
        return output.ToString().ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
    }
}
