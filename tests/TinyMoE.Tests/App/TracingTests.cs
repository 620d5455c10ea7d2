using System.Text.Json.Nodes;
using TinyMoE.App;
using TinyMoE.Inspect;
using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.App;

/// <summary>Traces in files: a table and lines of JSON say what an evaluation says, and a file is whole or not there.</summary>
public sealed class TracingTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("moe.router=top-k")]
    [InlineData("moe.router=switch", "moe.active=1", "moe.eval_capacity_factor=0.7", "moe.min_capacity=1", "moe.allow_non_causal=true")]
    [InlineData("moe.router=expert-choice", "moe.allow_non_causal=true")]
    [InlineData("moe.router=hash")]
    public async Task Table_AddsUpToTheEvaluation(params string[] settings)
    {
        Train(settings);
        EvaluationResult evaluated = Evaluating.Run(new EvaluationRequest(folder["run"]));

        TraceResult result = Trace("trace.parquet", probabilities: int.MaxValue);

        TraceTable table = await TraceTable.Read(folder["trace.parquet"]);
        Assert.Equal(result.Rows, table.Count);
        Assert.Equal(evaluated.Report.Loss, result.Loss, 1e-5);
        int[] tokens = table.Tokens();
        Assert.Equal(result.Tokens, tokens.Length);
        Assert.Equal(evaluated.Measured.Windows * 16, tokens.Length);
        Assert.Equal(evaluated.Report.Loss, tokens.Average(row => (float)table["next_loss"][row]!), 1e-5);
        foreach (RoutingReport layer in evaluated.Routing)
            RequireSums(table, layer);
        Tokenizer tokenizer = TokenizerChoice.Open(folder["run"]);
        Assert.All(tokens, row => Assert.Equal(tokenizer.TokenText((int)table["id"][row]!), table["token"][row]));
        Assert.All(tokens.Where(row => (int)table["position"][row]! > 0), row =>
        {
            int before = tokens[Array.IndexOf(tokens, row) - 1];
            Assert.Equal((table["id"][row], table["loss"][row]), (table["next_id"][before], table["next_loss"][before]));
            bool isPredicted = table["id"][row]!.Equals(table["prediction_1_id"][before]);
            Assert.Equal(isPredicted, table["rank"][row]!.Equals(1));
            if (isPredicted)
                Assert.Equal(Math.Exp(-(float)table["loss"][row]!), (float)table["prediction_1_probability"][before]!, 1e-5);
        });
    }

    [Fact]
    public async Task Table_OfADenseModel_HasARowForEveryToken()
    {
        Train("moe.experts=0");
        TraceResult result = Trace("trace.parquet");

        TraceTable table = await TraceTable.Read(folder["trace.parquet"]);
        Assert.Equal((result.Tokens, result.Tokens), (table.Count, result.Rows));
        foreach (string column in (string[])["layer", "slot", "expert", "gate", "entropy"])
            Assert.All(table[column], Assert.Null);
    }

    [Fact]
    public async Task Table_OfLabelledText_NamesLabels_AndSummaryHasTheirShares()
    {
        Train();
        string a = folder.Write("a.txt", string.Concat(Enumerable.Repeat("the cat sat.\n", 9)));
        string b = folder.Write("b.txt", string.Concat(Enumerable.Repeat("on mat 1.\n", 9)));
        EvaluationRequest windows = new(folder["run"]) { Sources = [$"cats={a}", $"mats={b}"], Labels = "source" };
        TraceResult result = Tracing.Run(new TraceRequest(windows) { Out = folder["trace.parquet"], Summarises = true });

        TraceTable table = await TraceTable.Read(folder["trace.parquet"]);
        Assert.Equal(["cats", "mats"], table["label"].Distinct());
        foreach (LayerSummary layer in result.Summary!.Layers)
        {
            for (int d = 0; d < result.Summary.Domains.Count; d++)
            {
                string domain = result.Summary.Domains[d];
                double tokens = table.Tokens().Count(row => domain.Equals(table["label"][row]));
                foreach (ExpertSummary expert in layer.Experts)
                {
                    double own = Enumerable.Range(0, table.Count).Count(row => domain.Equals(table["label"][row])
                        && layer.Layer.Equals(table["layer"][row]) && expert.Expert.Equals(table["expert"][row]));
                    Assert.Equal(tokens == 0 ? 0 : own / tokens, expert.ByDomain[d], 1e-6);
                }
            }
        }
    }

    [Fact]
    public async Task Table_OfSwitchHead_HasTheExpertsOfHeads()
    {
        Train("attention.kind=switch-head", "attention.experts=3", "attention.active=2");
        Trace("trace.parquet");

        TraceTable table = await TraceTable.Read(folder["trace.parquet"]);
        ILookup<object?, int> parts = Enumerable.Range(0, table.Count).ToLookup(row => table["part"][row]);
        Assert.Equal(["experts", "value", "output"], parts.Select(part => part.Key));
        Assert.All(parts["experts"], row => Assert.Null(table["head"][row]));
        Assert.All(parts["output"], row => Assert.InRange((int)table["head"][row]!, 0, 1));
        Assert.All(parts["value"], row => Assert.InRange((int)table["expert"][row]!, 0, 2));
    }

    [Theory]
    [InlineData("the cat sat on mat 1.")]
    [InlineData("the cat sat on mat 1.\nthe cat sat on mat 2.\nthe cat sat on mat 3.\n")] // longer than the context
    [InlineData("t")]
    public async Task Text_IsTracedOnce_AsItIsScored(string text)
    {
        Train();
        ScoreResult scored = Scoring.Run(new ScoreRequest(folder["run"]) { Text = text });

        TraceRequest request = new(new EvaluationRequest(folder["run"])) { Text = text, Out = folder["trace.parquet"] };
        TraceResult result = Tracing.Run(request);
        Tracing.Run(request with { Out = folder["trace.jsonl"], Predictions = 2, Probabilities = 1 });

        TraceTable table = await TraceTable.Read(folder["trace.parquet"]);
        int[] tokens = table.Tokens();
        Assert.Equal((scored.Tokens.Count, (long)scored.Tokens.Count), (tokens.Length, result.Tokens));
        string[] lines = File.ReadAllLines(folder["trace.jsonl"]);
        Assert.Equal(tokens.Length, lines.Length);
        foreach ((ScoredToken token, int n) in scored.Tokens.Select((token, n) => (token, n)))
        {
            int row = tokens[n];
            JsonNode line = JsonNode.Parse(lines[n])!;
            Assert.Equal((token.Id, token.Text, token.Rank), ((int)table["id"][row]!, table["token"][row], (int?)table["rank"][row]));
            Assert.Equal((token.Id, token.Text, token.Rank), ((int)line["id"]!, (string?)line["token"], (int?)line["rank"]));
            Assert.Equal(token.LogProbability ?? 0, -((float?)table["loss"][row] ?? 0), 1e-4);
            Assert.Equal((float?)table["loss"][row], (float?)line["loss"]);
            Assert.Equal(2, line["predictions"]!.AsArray().Count);
            Assert.Equal(table["prediction_1"][row], (string?)line["predictions"]![0]!["token"]);
            Assert.Equal(2, line["layers"]!.AsArray().Count);
            JsonNode layer = line["layers"]![0]!, choice = layer["choices"]![0]!, likeliest = layer["probabilities"]!.AsArray().Single()!;
            Assert.Equal((int)choice["expert"]!, (int)likeliest["expert"]!); // of top-k: the first choice is the likeliest
            Assert.Equal((table["expert"][row], table["gate"][row]), ((int)choice["expert"]!, (float)choice["gate"]!));
        }
    }

    [Fact]
    public void Trace_Cancelled_LeavesWhatWasThere()
    {
        Train();
        File.WriteAllText(folder["trace.parquet"], "before");
        using CancellationTokenSource stop = new();
        stop.Cancel();
        TraceRequest request = new(new EvaluationRequest(folder["run"])) { Out = folder["trace.parquet"] };

        Assert.ThrowsAny<OperationCanceledException>(() => Tracing.Run(request, stop.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => Tracing.Run(request with { Text = "the cat" }, stop.Token));

        Assert.Equal("before", File.ReadAllText(folder["trace.parquet"]));
        Assert.DoesNotContain(Directory.EnumerateFiles(folder.Root), file => file.EndsWith(".tmp", StringComparison.Ordinal));
    }

    [Fact]
    public void Conveyor_FailingOnEitherSide_ThrowsThatFailure_AndEndsBothSides()
    {
        List<int> used = [];
        Conveyor.Run(Enumerable.Range(0, 50), used.Add, waiting: 2, CancellationToken.None);
        Assert.Equal(Enumerable.Range(0, 50), used);

        int made = 0;
        IOException full = Assert.Throws<IOException>(() => Conveyor.Run(
            Enumerable.Range(0, 1000).Select(i => made = i), i => throw new IOException("full"), waiting: 2, CancellationToken.None));
        Assert.Equal("full", full.Message);
        Assert.InRange(made, 0, 10);
        Assert.Throws<InvalidDataException>(() => Conveyor.Run(
            Enumerable.Range(0, 9).Select(i => i < 5 ? i : throw new InvalidDataException()), _ => { }, 2, CancellationToken.None));
    }

    [Theory]
    [InlineData("--out", "trace.csv", "trace.csv ends neither in .parquet (a table) nor in .jsonl (one JSON object per token)")]
    [InlineData("--out", "run/trace.jsonl", "lies among the files of the model; choose another place for the trace")]
    [InlineData("--out", "run/best/trace.parquet", "lies among the files of the model; choose another place for the trace")]
    [InlineData("--text", "", "the text has no token to trace")]
    [InlineData("--text", "?!", "'?'")]
    [InlineData("--file", "nowhere.txt", "Cannot read ")]
    [InlineData("--context", "17", "has a context of 16 tokens, less than a window of 17")]
    public void Command_ThatCannotBeDone_SaysWhy(string option, string value, string expected)
    {
        Train();
        string word = option is "--out" or "--file" ? folder[value] : value;

        CommandLine trace = CommandLine.Run("trace", "--run", folder["run"], option, word);

        Assert.Equal((1, ""), (trace.ExitCode, trace.Output));
        Assert.Contains(expected, Assert.Single(trace.ErrorLines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--text and --file exclude each other", "--text", "a", "--file", "b")]
    [InlineData("--labels needs --data", "--labels", "file")]
    [InlineData("--windows is for --data", "--text", "a", "--windows", "3")]
    [InlineData("--probabilities needs a whole number or all, not '-1'", "--probabilities", "-1")]
    [InlineData("--predictions needs a whole number from 0 to 100, not '101'", "--predictions", "101")]
    public void Command_UsedWrongly_SaysSo(string expected, params string[] words)
    {
        CommandLine trace = CommandLine.Run(["trace", "--run", folder["run"], .. words]);
        Assert.Equal(2, trace.ExitCode);
        Assert.Contains(expected.Replace("--text and --file exclude", "--text, --file and --data exclude", StringComparison.Ordinal),
            trace.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Command_TellsWhatItTraced()
    {
        Train();
        string file = folder["trace.parquet"];
        CommandLine own = CommandLine.Run("trace", "--run", folder["run"], "--windows", "3", "--out", file);
        Assert.Equal((0, ""), (own.ExitCode, own.Error));
        Assert.Matches($"^traced the first 3 of [0-9]+ windows.*: 48 tokens, loss [0-9.]+; 192 rows in ", own.Output);

        CommandLine text = CommandLine.Run("trace", "--run", folder["run"], "--text", "the cat", "--json");
        JsonNode line = JsonNode.Parse(text.Output)!;
        Assert.Equal((7, 0, null), ((int)line["tokens"]!, (int)line["rows"]!, line["file"]));
    }

    [Fact]
    public void Summary_IsShown_AndWholeInAFile()
    {
        Train();
        CommandLine shown = CommandLine.Run(
            "trace", "--run", folder["run"], "--summary", folder["summary.json"], "--against", folder["run"]);
        Assert.Equal((0, ""), (shown.ExitCode, shown.Error));
        Assert.Contains("layer 0: gate entropy ", shown.Output, StringComparison.Ordinal);
        Assert.Contains("saturation 100 % (k=1), 100 %", shown.Output, StringComparison.Ordinal);
        Assert.All(shown.OutputLines.Skip(1), line => Assert.InRange(line.TrimEnd().Length, 0, 80));

        JsonNode summary = JsonNode.Parse(File.ReadAllText(folder["summary.json"]))!;
        EvaluationResult evaluated = Evaluating.Run(new EvaluationRequest(folder["run"]));
        Assert.Equal(2, summary["layers"]!.AsArray().Count);
        foreach ((JsonNode? layer, RoutingReport report) in summary["layers"]!.AsArray().Zip(evaluated.Routing))
        {
            JsonArray experts = layer!["experts"]!.AsArray();
            float[] tokens = [.. experts.Select(expert => (float)expert!["tokens"]!)];
            Assert.All(report.Load.Zip(tokens), pair => Assert.Equal(pair.First, pair.Second / tokens.Sum(), 1e-6f));
            Assert.Equal(report.GateEntropy, (float)layer["gate_entropy"]!, 1e-5f);
            Assert.Equal(TokenKindNames, summary["kinds"]!.AsArray().Select(kind => (string)kind!));
            JsonNode lived = experts.First(expert => expert!["lives_on"]!.AsArray().Count > 0)!["lives_on"]![0]!;
            Assert.True((double)lived["lift"]! > 1);
        }
    }

    [Theory]
    [InlineData("moe.experts=8", "it has 8 experts, not 4")]
    [InlineData("moe.experts=0", "a dense model chooses nothing")]
    [InlineData("model.context=8", "it has a context of 8, not 16")]
    public void Against_AnotherModel_IsRefused(string setting, string expected)
    {
        Train(setting);
        Directory.Move(folder["run"], folder["other"]);
        Train();
        CommandLine trace = CommandLine.Run("trace", "--run", folder["run"], "--against", folder["other"]);
        Assert.Equal(1, trace.ExitCode);
        Assert.Contains(expected, Assert.Single(trace.ErrorLines), StringComparison.Ordinal);
    }

    private static readonly string[] TokenKindNames =
        ["lower", "upper", "digits", "space", "brackets", "punctuation", "other_scripts", "special"];

    private TraceResult Trace(string file, int probabilities = 0) => Tracing.Run(
        new TraceRequest(new EvaluationRequest(folder["run"])) { Out = folder[file], Probabilities = probabilities });

    private static void RequireSums(TraceTable table, RoutingReport layer)
    {
        int[] rows = [.. Enumerable.Range(0, table.Count).Where(row => layer.Layer.Equals(table["layer"][row]))];
        int[] choices = [.. rows.Where(row => table["slot"][row] is not null)];
        double gates = choices.Sum(row => (float)table["gate"][row]!);
        for (int e = 0; e < layer.Load.Length; e++)
        {
            int[] own = [.. choices.Where(row => e.Equals(table["expert"][row]))];
            Assert.Equal(layer.Load[e], (double)own.Length / choices.Length, 1e-6);
            Assert.Equal(layer.Importance[e], own.Sum(row => (float)table["gate"][row]!) / gates, 1e-6);
        }

        Assert.Equal(layer.Dropped, choices.Count(row => false.Equals(table["served"][row])) / (double)choices.Length, 1e-6);
        int[] tokens = [.. rows.DistinctBy(row => (table["window"][row], table["position"][row]))];
        if (layer.Entropy is { } entropy)
        {
            // All experts have a row, chosen or not, so that probabilities sum to 1.
            Assert.Equal(entropy, tokens.Average(row => (float)table["entropy"][row]!), 1e-5);
            Assert.Equal(layer.LogitNorm!.Value, tokens.Average(row => (float)table["logit_norm"][row]!), 1e-4);
            Assert.Equal(tokens.Length, rows.Sum(row => (float)table["probability"][row]!), 1e-3);
            Assert.Equal(tokens.Length * layer.Load.Length, rows.Length);
        }
        else
        {
            Assert.All(rows, row => Assert.Null(table["probability"][row]));
        }
    }

    private void Train(params string[] settings)
    {
        string text = folder.Write("text.txt", string.Concat(Enumerable.Range(0, 200).Select(i => $"the cat sat on mat {i % 10}.\n")));
        string[] small =
        [
            "model.width=32", "model.layers=2", "attention.heads=2", "attention.kv_heads=1", "model.context=16", "moe.experts=4",
            "moe.hidden=32", "train.batch=4", "train.eval_windows=8",
        ];
        CommandLine train = CommandLine.Run(
            ["train", "--threads", "2", "--data", text, "--steps", "2", "--out", folder["run"], "--set", .. small, .. settings]);
        Assert.Equal("", train.Error);
    }
}
