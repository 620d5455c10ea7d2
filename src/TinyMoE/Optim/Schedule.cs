using TinyMoE.Configuration;

namespace TinyMoE.Optim;

/// <summary>The learning rate of each step: a linear warm-up, then constant, cosine or warm-up-stable-decay.</summary>
internal static class Schedule
{
    /// <summary>
    /// The rate of <paramref name="step"/>, from 1 on; after <see cref="TrainConfig.ScheduleSteps"/> it is that of the schedule's end.
    /// </summary>
    public static float LearningRate(TrainConfig config, int step)
    {
        int steps = config.ScheduleStepsOrAll;
        step = Math.Min(step, steps);
        double high = config.LearningRate, low = config.MinLearningRate;
        if (step <= config.Warmup)
            return (float)(high * step / config.Warmup);

        // progress 0 → 1 over the decaying part
        double Progress(double from) => Math.Clamp((step - from) / Math.Max(1.0, steps - from), 0.0, 1.0);
        return (float)(config.Schedule switch
        {
            ScheduleKind.Constant => high,
            ScheduleKind.Cosine => low + (high - low) * 0.5 * (1 + Math.Cos(Math.PI * Progress(config.Warmup))),
            ScheduleKind.Wsd => low + (high - low) * (1 - Math.Sqrt(Progress(steps * (1.0 - config.DecayShare)))),
            _ => throw new InvalidOperationException($"No schedule {config.Schedule}."),
        });
    }
}
