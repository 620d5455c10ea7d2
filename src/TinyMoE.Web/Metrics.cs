using System.Globalization;
using System.Text;
using TinyMoE.App;

namespace TinyMoE.Web;

/// <summary>Counts what a server does, for Prometheus (text exposition format 0.0.4).</summary>
internal sealed class Metrics
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<(string Path, int Status), long> requests = [];
    private readonly SortedDictionary<string, long> ends = new(StringComparer.Ordinal);
    private readonly Histogram firstToken = new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]);
    private readonly Histogram perToken = new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]);
    private readonly Serving serving;
    private long promptTokens, tokens;

    public Metrics(Serving serving)
    {
        this.serving = serving;
        serving.TextEnded += CountText;
    }

    /// <summary>Counts a request by its route and the status of its answer; 499: whoever asked was gone.</summary>
    public void CountRequest(string path, int status)
    {
        lock (gate)
            requests[(path, status)] = requests.GetValueOrDefault((path, status)) + 1;
    }

    public override string ToString()
    {
        StringBuilder text = new();
        lock (gate)
        {
            Begin("requests_total", "counter", "Requests by route and status; 499: the client was gone.");
            foreach (((string path, int status), long count) in requests)
                Line($"tinymoe_requests_total{{path=\"{path}\",status=\"{status}\"}} {count}");
            Begin("texts_total", "counter", "Texts that are over, by why they ended.");
            foreach ((string end, long count) in ends)
                Line($"tinymoe_texts_total{{end=\"{end}\"}} {count}");
            Value("prompt_tokens_total", "counter", "Tokens of prompts of texts that are over.", promptTokens);
            Value("completion_tokens_total", "counter", "Tokens that were written, of texts that are over.", tokens);
            Value("texts_running", "gauge", "Texts that have a slot.", serving.Running);
            Value("texts_waiting", "gauge", "Texts that wait for a slot.", serving.Waiting);
            Value("slots", "gauge", "Texts that can be written at once.", serving.Slots);
            Write("time_to_first_token_seconds", "From the request to the first token of a text.", firstToken);
            Write("time_per_token_seconds", "Per token after the first of a text, one observation per text.", perToken);
        }

        return text.ToString();

        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

        void Begin(string name, string type, string help)
        {
            Line($"# HELP tinymoe_{name} {help}");
            Line($"# TYPE tinymoe_{name} {type}");
        }

        void Value(string name, string type, string help, long value)
        {
            Begin(name, type, help);
            Line($"tinymoe_{name} {value}");
        }

        void Write(string name, string help, Histogram histogram)
        {
            Begin(name, "histogram", help);
            foreach ((double bound, long count) in histogram.Cumulative())
                Line($"tinymoe_{name}_bucket{{le=\"{bound}\"}} {count}");
            Line($"tinymoe_{name}_bucket{{le=\"+Inf\"}} {histogram.Count}");
            Line($"tinymoe_{name}_sum {histogram.Sum}");
            Line($"tinymoe_{name}_count {histogram.Count}");
        }
    }

    private void CountText(ServedTiming timing)
    {
        string end = timing.End switch
        {
            null => "error",
            Generate.GenerationEnd.Length => "length",
            Generate.GenerationEnd.Cancelled => "cancelled",
            _ => "stop",
        };
        lock (gate)
        {
            ends[end] = ends.GetValueOrDefault(end) + 1;
            promptTokens += timing.PromptTokens;
            tokens += timing.Tokens;
            if (timing.Waited is { } waited)
                firstToken.Add(waited.TotalSeconds);
            if (timing.Tokens > 1)
                perToken.Add(timing.Wrote.TotalSeconds / (timing.Tokens - 1));
        }
    }

    private sealed class Histogram(double[] bounds)
    {
        private readonly long[] counts = new long[bounds.Length];

        public long Count { get; private set; }

        public double Sum { get; private set; }

        public void Add(double value)
        {
            Count++;
            Sum += value;
            int first = Array.FindIndex(bounds, bound => value <= bound);
            if (first >= 0)
                counts[first]++;
        }

        public IEnumerable<(double Bound, long Count)> Cumulative()
        {
            long sum = 0;
            for (int i = 0; i < bounds.Length; i++)
                yield return (bounds[i], sum += counts[i]);
        }
    }
}
