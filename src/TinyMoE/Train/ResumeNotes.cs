using TinyMoE.Configuration;
using TinyMoE.Optim;

namespace TinyMoE.Train;

/// <summary>What a person should know of a run that goes on otherwise than it was begun.</summary>
internal static class ResumeNotes
{
    /// <summary>One line each; none where the run goes on as if it had never stopped.</summary>
    /// <param name="before">As the run was configured.</param>
    /// <param name="now">As it goes on.</param>
    /// <param name="done">Steps done.</param>
    public static IEnumerable<string> Of(TrainConfig before, TrainConfig now, int done)
    {
        if (done >= now.Steps)
        {
            yield return $"{done} steps are done already and train.steps is {now.Steps}, so there is nothing left to train; "
                + $"set train.steps above {done} to go on";
            yield break;
        }

        if (before.Precision != now.Precision)
        {
            yield return $"the run computes in {NameOf(now.Precision)} now (train.precision), not in {NameOf(before.Precision)}; "
                + "weights and moments are float32 in either";
        }

        int next = done + 1;
        (float old, float rate) = (Schedule.LearningRate(before, next), Schedule.LearningRate(now, next));
        if (old != rate)
        {
            yield return $"the schedule runs over {now.ScheduleStepsOrAll} steps now, not {before.ScheduleStepsOrAll}, so the learning "
                + $"rate of step {next} is {rate:G3} and not {old:G3}; resume with --keep-schedule to keep the schedule as it was, "
                + "and after its end its last rate";
        }
    }

    private static string NameOf(TrainPrecision precision) => precision.ToString().ToLowerInvariant();
}
