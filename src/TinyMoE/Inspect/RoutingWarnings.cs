using System.Globalization;
using TinyMoE.Configuration;

namespace TinyMoE.Inspect;

/// <summary>
/// Finds layers whose routers go wrong: nearly all tokens to few experts, experts that learn nothing, logits that explode.
/// </summary>
internal static class RoutingWarnings
{
    /// <summary>Share of the largest violation there can be, E/K − 1, where one expert has all tokens.</summary>
    private const float NearlyAll = 0.75f, Uneven = 0.4f;

    /// <summary>Share of the largest entropy there can be, log E.</summary>
    private const float Decided = 0.02f;

    private const float LargestLogSumExp = 50f;
    private const int MostNamed = 8;

    /// <summary>
    /// The warnings of an evaluation; <paramref name="before"/> is what the one before it saw. Routers whose choice is not learned from the
    /// text have none.
    /// </summary>
    public static IEnumerable<WarningReport> Of(MoeConfig moe, IReadOnlyList<RoutingReport> routing, RoutingSnapshot before)
    {
        if (moe.Experts == 0 || !RouterTraits.Of(moe.Router).HasLogits)
            yield break;
        foreach (RoutingReport layer in routing)
        {
            if (Collapse(moe, layer, before) is { } seen)
            {
                yield return new WarningReport(
                    layer.Step, layer.Layer, $"layer {layer.Layer} is collapsing: {seen}; {Balance(moe)}, or lower train.learning_rate");
            }

            if (layer.LogSumExp > LargestLogSumExp)
            {
                yield return new WarningReport(
                    layer.Step,
                    layer.Layer,
                    $"layer {layer.Layer}: the router's logits explode, their log Σ exp is {Number(layer.LogSumExp.Value)}; "
                    + $"{Raise("moe.z_loss", moe.ZLoss, 0.001f)}, or lower train.learning_rate");
            }
        }
    }

    private static string? Collapse(MoeConfig moe, RoutingReport layer, RoutingSnapshot before)
    {
        int[] dead = [.. Enumerable.Range(0, layer.Load.Length).Where(e => layer.Load[e] == 0f && before.IsDead(layer.Layer, e))];
        float largest = (float)moe.Experts / moe.ActiveOfRouter - 1f;
        if (dead.Length > 0)
            return $"no token chose {Named(dead)} in two evaluations in a row";
        if (largest <= 0f)
            return null;
        float load = layer.Load.Max();
        string most = $"expert {Array.IndexOf(layer.Load, load)} has {Percent(load)} of the choices, "
            + $"{Number(layer.MaxViolation + 1f)} times its share";
        if (layer.MaxViolation > NearlyAll * largest)
            return most;
        bool decided = layer.Entropy < Decided * MathF.Log(moe.Experts) && layer.MaxViolation > Uneven * largest;
        return decided ? $"the entropy is {Number(layer.Entropy!.Value)}, and {most}" : null;
    }

    private static string Balance(MoeConfig moe) => moe.Router switch
    {
        RouterKind.DeepSeek => $"{Raise("moe.bias_rate", moe.BiasRate, 0.001f)} or {Raise("moe.sequence_loss", moe.SequenceLoss, 0.0001f)}",
        RouterKind.NoisyTopK => $"{Raise("moe.importance_loss", moe.ImportanceLoss, 0.01f)} and "
            + $"{Raise("moe.load_loss", moe.LoadLoss, 0.01f)}, try moe.router=deepseek",
        _ => $"{Raise("moe.balance_loss", moe.BalanceLoss, 0.01f)}, try moe.router=deepseek",
    };

    private static string Raise(string key, float value, float usual) =>
        value == 0f ? $"set {key}={Number(usual)}" : $"raise {key}={Number(value)}";

    private static string Named(int[] experts)
    {
        string names = string.Join(", ", experts.Take(MostNamed));
        return experts.Length == 1 ? $"expert {names}"
            : experts.Length <= MostNamed ? $"experts {names}"
            : $"experts {names} and {experts.Length - MostNamed} more";
    }

    private static string Percent(float share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:F0} %");

    private static string Number(float value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
