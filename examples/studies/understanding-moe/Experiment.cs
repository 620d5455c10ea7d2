using System.Diagnostics;
using TinyMoE.Backends;

namespace TinyMoE.Examples.UnderstandingMoe;

/// <summary>The four models that are compared.</summary>
internal enum ModelKind
{
    SingleLinear, SingleNonlinear, MixtureOfLinear, MixtureOfNonlinear,
}

/// <summary>How one model did with one seed.</summary>
/// <param name="TrainAccuracy">Share of the examples learned from that it gets right.</param>
/// <param name="TestAccuracy">Share of the others that it gets right.</param>
/// <param name="Dispatch">Test examples of each cluster (first) at each expert (second).</param>
/// <param name="Steps">Steps trained.</param>
/// <param name="Seconds">Seconds trained.</param>
internal sealed record Outcome(double TrainAccuracy, double TestAccuracy, int[,] Dispatch, int Steps, double Seconds)
{
    /// <summary>
    /// The entropy of the cluster given the expert, Σ_e (n_e/N)·H(cluster | expert e), in nats: ln K when experts see all clusters alike,
    /// 0 when each sees one.
    /// </summary>
    public double DispatchEntropy
    {
        get
        {
            double sum = 0, total = Dispatch.Cast<int>().Sum();
            for (int e = 0; e < Dispatch.GetLength(1); e++)
            {
                double atExpert = Enumerable.Range(0, Dispatch.GetLength(0)).Sum(cluster => Dispatch[cluster, e]);
                for (int cluster = 0; cluster < Dispatch.GetLength(0); cluster++)
                {
                    if (Dispatch[cluster, e] > 0)
                        sum -= Dispatch[cluster, e] * Math.Log(Dispatch[cluster, e] / atExpert);
                }
            }

            return sum / total;
        }
    }
}

/// <summary>Trains one model on one data set and tests it on the other.</summary>
internal static class Experiment
{
    public static Outcome Run(Backend backend, ModelKind kind, Setting setting, int seed)
    {
        (Dataset train, Dataset test) = Dataset.Make(setting.Data, seed);
        bool mixture = kind is ModelKind.MixtureOfLinear or ModelKind.MixtureOfNonlinear,
            cubic = kind is ModelKind.SingleNonlinear or ModelKind.MixtureOfNonlinear;
        using IClassifier model = mixture
            ? new MixtureModel(backend, setting.Mixture, setting.Data.Patch, cubic, seed)
            : new SingleModel(backend, setting.Single, setting.Data.Patch, cubic, seed);

        Stopwatch clock = Stopwatch.StartNew();
        int step = 0, most = mixture ? setting.Mixture.Epochs : setting.Single.Epochs;
        float enough = mixture ? setting.Mixture.StopAtLoss : 0f, loss = float.PositiveInfinity;
        while (step < most && loss > enough)
            loss = model.Step(train, ++step);
        double seconds = clock.Elapsed.TotalSeconds;

        (int[] classes, int[] experts) = model.Predict(test);
        int[,] dispatch = new int[setting.Data.Clusters, mixture ? setting.Mixture.Experts : 1];
        for (int i = 0; i < test.Count; i++)
            dispatch[test.Clusters[i], experts[i]]++;
        return new Outcome(Accuracy(model.Predict(train).Classes, train), Accuracy(classes, test), dispatch, step, seconds);
    }

    private static double Accuracy(int[] classes, Dataset data) =>
        classes.Zip(data.Classes, (mine, right) => mine == right ? 1.0 : 0.0).Average();
}
