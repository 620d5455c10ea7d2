using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using TinyMoE.Inspect;

namespace TinyMoE.Train;

/// <summary>
/// Reports as one-line JSON objects, the lines of <c>metrics.jsonl</c> and of <c>--json</c>. What is not a number is a text: "NaN",
/// "Infinity", "-Infinity".
/// </summary>
public static class MetricsJson
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private static readonly JsonSerializerOptions WithNulls = new(Options) { DefaultIgnoreCondition = JsonIgnoreCondition.Never };

    /// <summary>
    /// <c>{"kind":"train","step":..,"loss":..,"losses":{..},"learning_rate":..,"gradient_norm":..,"tokens_per_second":..,
    /// "bits_per_byte":..}</c>, and <c>"dropped":..</c> with a capacity factor.
    /// </summary>
    public static string Line(StepReport r) => JsonSerializer.Serialize(
        new
        {
            Kind = "train",
            r.Step,
            r.Loss,
            r.Losses,
            r.LearningRate,
            r.GradientNorm,
            r.TokensPerSecond,
            r.BitsPerByte,
            r.Dropped,
        },
        Options);

    /// <summary>
    /// <c>{"kind":"eval","step":..,"loss":..,"perplexity":..,"bits_per_byte":..}</c>, and <c>"causal":false</c> of a model that looks
    /// ahead.
    /// </summary>
    public static string Line(EvalReport r) => JsonSerializer.Serialize(
        new { Kind = "eval", r.Step, r.Loss, r.Perplexity, r.BitsPerByte, Causal = r.Causal ? (bool?)null : false }, Options);

    /// <summary>
    /// The same of an evaluation by itself, with what it measured:
    /// <c>"windows":..,"of":..,"held_out":..,"text":[..]</c>, the first windows of so many, of what was held out or of the whole text.
    /// </summary>
    public static string Line(EvalReport r, int windows, int of, bool heldOut, IReadOnlyList<string> text)
    {
        bool? causal = r.Causal ? null : false;
        return JsonSerializer.Serialize(
            new
            {
                Kind = "eval",
                r.Step,
                r.Loss,
                r.Perplexity,
                r.BitsPerByte,
                Causal = causal,
                Windows = windows,
                Of = of,
                HeldOut = heldOut,
                Text = text,
            },
            Options);
    }

    /// <summary>
    /// <c>{"kind":"routing","step":..,"layer":..,"load":[..],"importance":[..],"entropy":..,"gate_entropy":..,"top_gate":..,
    /// "max_violation":..,"dead":..,"dropped":..,"logit_norm":..,"log_sum_exp":..,"changed":..,"co_activation":[[..],..],
    /// "domains":[{"label":..,"share":..,"load":[..]},..]}</c>; what a router has none of is null. Both tables are rounded to 5 decimals.
    /// </summary>
    public static string Line(RoutingReport r) => JsonSerializer.Serialize(
        new
        {
            Kind = "routing",
            r.Step,
            r.Layer,
            r.Load,
            r.Importance,
            r.Entropy,
            r.GateEntropy,
            r.TopGate,
            r.MaxViolation,
            r.Dead,
            r.Dropped,
            r.LogitNorm,
            r.LogSumExp,
            r.Changed,
            CoActivation = r.CoActivation?.Select(Rounded),
            Domains = r.Domains?.Select(domain => domain with { Load = Rounded(domain.Load) }),
        },
        WithNulls);

    /// <summary><c>{"kind":"note","step":..,"text":".."}</c></summary>
    public static string Line(NoteReport r) => JsonSerializer.Serialize(new { Kind = "note", r.Step, r.Text }, Options);

    /// <summary><c>{"kind":"warning","step":..,"layer":..,"text":".."}</c></summary>
    public static string Line(WarningReport r) => JsonSerializer.Serialize(new { Kind = "warning", r.Step, r.Layer, r.Text }, Options);

    /// <summary><c>{"kind":"problem","step":..,"text":".."}</c></summary>
    public static string Line(ProblemReport r) => JsonSerializer.Serialize(new { Kind = "problem", r.Step, r.Text }, Options);

    /// <summary><c>{"kind":"memory","step":..,"peak_resident_bytes":..,"peak_pool_bytes":..,"predicted_bytes":..}</c></summary>
    public static string Line(MemoryReport r) =>
        JsonSerializer.Serialize(new { Kind = "memory", r.Step, r.PeakResidentBytes, r.PeakPoolBytes, r.PredictedBytes }, Options);

    /// <summary>
    /// <c>{"kind":"profile","steps":..,"seconds":..,"outside_kernels":..,
    /// "profile":[{"kernel":..,"calls":..,"seconds":..,"flops":..,"bytes":..},..]}</c>, sums over the steps.
    /// </summary>
    public static string Line(TrainingProfile r) => JsonSerializer.Serialize(
        new
        {
            Kind = "profile",
            r.Steps,
            Seconds = r.Time.TotalSeconds,
            OutsideKernels = r.OutsideKernels.TotalSeconds,
            Profile = r.Kernels.Select(kernel =>
                new { Kernel = kernel.Name, kernel.Calls, Seconds = kernel.Time.TotalSeconds, kernel.Flops, kernel.Bytes }),
        },
        Options);

    /// <summary>
    /// <c>{"kind":"change","before":..,"after":..,"domains":[{"label":..,"share":..,"before":..,"after":..},..]}</c>: what interventions do
    /// to the loss.
    /// </summary>
    public static string Line(LossChange r) => JsonSerializer.Serialize(
        new
        {
            Kind = "change",
            Before = r.Before.Mean,
            After = r.After.Mean,
            Domains = r.Domains?.Select((label, d) =>
                new { Label = label, Share = r.Shares![d], Before = r.Before.ByDomain![d], After = r.After.ByDomain![d] }),
        },
        Options);

    /// <summary>
    /// The lines of an ablation map, with what was measured: <c>{"kind":"whole","loss":..,"windows":..,"of":..,"held_out":..,"text":[..],
    /// "domains":[{"label":..,"share":..,"loss":..},..]}</c>, then for every expert <c>{"kind":"ablation","layer":..,"expert":..,"load":..,
    /// "loss":..,"domains":[..]}</c>, where domains are the losses of each.
    /// </summary>
    public static IEnumerable<string> Lines(AblationReport r, int windows, int of, bool heldOut, IReadOnlyList<string> text)
    {
        double loss = r.Whole.Mean;
        var domains = r.Domains?.Select((label, d) => new { Label = label, Share = r.Shares![d], Loss = r.Whole.ByDomain![d] });
        yield return JsonSerializer.Serialize(
            new { Kind = "whole", Loss = loss, Windows = windows, Of = of, HeldOut = heldOut, Text = text, Domains = domains }, Options);
        foreach (ExpertAblation one in r.Experts)
        {
            yield return JsonSerializer.Serialize(
                new { Kind = "ablation", one.Layer, one.Expert, one.Load, Loss = one.Loss.Mean, Domains = one.Loss.ByDomain }, Options);
        }
    }

    private static float[] Rounded(float[] shares) => Array.ConvertAll(shares, share => MathF.Round(share, 5));
}
