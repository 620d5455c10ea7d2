using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace TinyMoE.Train;

/// <summary>Reports as one-line JSON objects, the lines of <c>metrics.jsonl</c> and of <c>--json</c>. What is not a number is a text: "NaN", "Infinity", "-Infinity".</summary>
public static class MetricsJson
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary><c>{"kind":"train","step":..,"loss":..,"losses":{..},"learning_rate":..,"gradient_norm":..,"tokens_per_second":..}</c>, and <c>"dropped":..</c> with a capacity factor.</summary>
    public static string Line(StepReport r) =>
        JsonSerializer.Serialize(new { Kind = "train", r.Step, r.Loss, r.Losses, r.LearningRate, r.GradientNorm, r.TokensPerSecond, r.Dropped }, Options);

    /// <summary><c>{"kind":"eval","step":..,"loss":..,"perplexity":..,"bits_per_byte":..}</c></summary>
    public static string Line(EvalReport r) =>
        JsonSerializer.Serialize(new { Kind = "eval", r.Step, r.Loss, r.Perplexity, r.BitsPerByte }, Options);

    /// <summary><c>{"kind":"routing","step":..,"layer":..,"load":[..],"importance":[..],"entropy":..,"max_violation":..,"dead":..}</c></summary>
    public static string Line(RoutingReport r) =>
        JsonSerializer.Serialize(new { Kind = "routing", r.Step, r.Layer, r.Load, r.Importance, r.Entropy, r.MaxViolation, r.Dead }, Options);

    /// <summary><c>{"kind":"memory","step":..,"peak_resident_bytes":..,"peak_pool_bytes":..,"predicted_bytes":..}</c></summary>
    public static string Line(MemoryReport r) =>
        JsonSerializer.Serialize(new { Kind = "memory", r.Step, r.PeakResidentBytes, r.PeakPoolBytes, r.PredictedBytes }, Options);

    /// <summary><c>{"kind":"profile","steps":..,"seconds":..,"outside_kernels":..,"profile":[{"kernel":..,"calls":..,"seconds":..,"flops":..,"bytes":..},..]}</c>, sums over the steps.</summary>
    public static string Line(TrainingProfile r) => JsonSerializer.Serialize(
        new
        {
            Kind = "profile",
            r.Steps,
            Seconds = r.Time.TotalSeconds,
            OutsideKernels = r.OutsideKernels.TotalSeconds,
            Profile = r.Kernels.Select(kernel => new { Kernel = kernel.Name, kernel.Calls, Seconds = kernel.Time.TotalSeconds, kernel.Flops, kernel.Bytes }),
        },
        Options);
}
