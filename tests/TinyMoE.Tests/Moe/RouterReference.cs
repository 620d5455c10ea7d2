using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Tests.Moe;

/// <summary>What the reference makes of some tokens.</summary>
/// <param name="Gates">The gate of each token at each expert (T, E).</param>
/// <param name="Losses">Every loss that the router can have, by name, computed when it is asked for.</param>
/// <param name="Gap">How near the nearest decision so far was to going the other way.</param>
internal sealed record RouterValues(double[][] Gates, IReadOnlyDictionary<string, Func<double>> Losses, Func<double> Gap);

/// <summary>
/// Every router in double precision, written token by token from the formulas of the papers, with
/// nothing of the engine but its random numbers. Assignments that have no gradient and many optima
/// (the auction) or no opinion at all (a table, random, in turn) are given to it, as choices (T, K).
/// </summary>
internal sealed class RouterReference(
    MoeConfig moe, int width, Pass pass, RouterTokens tokens, float[] noise, int[] givenChoices, double[] bias)
{
    private readonly int E = moe.Experts;
    private double gap = double.PositiveInfinity;

    public RouterValues Evaluate(double[] x, IReadOnlyDictionary<string, double[]> parameters)
    {
        gap = double.PositiveInfinity;
        int T = x.Length / width;
        double[][] rows = [.. x.Chunk(width)], jittered = Jittered(rows);
        double[][] clean = CleanLogits(jittered, parameters);
        double[][] noisy = Noisy(clean), deviations = [];
        if (moe.Router == RouterKind.NoisyTopK && pass.Training)
        {
            deviations = Map(Linear(rows, parameters["router.noise.weight"]), (_, _, v) => Math.Log(1 + Math.Exp(v)) + moe.NoiseEpsilon);
            noisy = Map(noisy, (t, e, v) => v + deviations[t][e] * noise[t * E + e]);
        }

        double[][] groupLogits = parameters.TryGetValue("router.groups.weight", out double[]? groups)
            ? Linear(jittered, groups, parameters.GetValueOrDefault("router.groups.bias")) : [];
        (int[][] wanted, double[][] gates) = Choose(noisy, groupLogits, T);
        int[][] offered = moe.Router == RouterKind.GShard && pass.Training ? KeepSecond(wanted, gates) : wanted;
        (wanted, offered) = (WithoutPadding(wanted), WithoutPadding(offered));

        Dictionary<string, Func<double>> losses = [];
        if (clean.Length > 0)
        {
            double[][] p = Probabilities(clean, groupLogits);
            losses["balance"] = () => Balance(p, wanted, Counting(Enumerable.Range(0, T)), counted: int.MaxValue, moe.ActiveOfRouter);
            losses["gshard"] = () => Balance(p, wanted, Counting(Enumerable.Range(0, T)), counted: 1, active: 1);
            int length = T / tokens.Sequences;
            int[][] sequences = [.. Enumerable.Range(0, tokens.Sequences)
                .Select(b => Counting(Enumerable.Range(b * length, length))).Where(s => s.Length > 0)];
            losses["sequence"] = () => sequences.Average(sequence => Balance(p, wanted, sequence, int.MaxValue, moe.ActiveOfRouter));
            losses["z"] = () => Counting(Enumerable.Range(0, T)).Average(t => Math.Pow(Math.Log(clean[t].Sum(Math.Exp)), 2));
            losses["importance"] = () => Variation(Columns(Dense(wanted, gates), Enumerable.Range(0, T)));
            if (deviations.Length > 0 || moe.LogitNoise > 0)
                losses["load"] = () => Load(clean, noisy, deviations);
        }

        return new RouterValues(Dense(LimitCapacity(offered, gates), gates), losses, () => gap);
    }

    /// <summary>The logits before noise (T, E): given by label, learned, or none.</summary>
    private double[][] CleanLogits(double[][] x, IReadOnlyDictionary<string, double[]> parameters)
    {
        if (moe.Router == RouterKind.Task)
            return [.. tokens.Labels.Select(label => parameters["router.tasks.weight"][(label * E)..((label + 1) * E)])];
        string name = moe.Router == RouterKind.Base ? "router.centroids" : "router";
        return parameters.TryGetValue($"{name}.weight", out double[]? weight)
            ? Linear(x, weight, parameters.GetValueOrDefault($"{name}.bias")) : [];
    }

    private (int[][] Choices, double[][] Gates) Choose(double[][] logits, double[][] groupLogits, int T)
    {
        int K = moe.ActiveOfRouter;
        switch (moe.Router)
        {
            case RouterKind.TopK or RouterKind.NoisyTopK or RouterKind.GShard or RouterKind.Task or RouterKind.Switch:
            case RouterKind.Hierarchical when groupLogits.Length == 0:
                bool heedsRenormalize = moe.Router is RouterKind.TopK or RouterKind.Task or RouterKind.Hierarchical;
                bool ofOne = K == 1 && moe.Router != RouterKind.TopK; // hierarchical and task: p, though it is divided
                bool overAll = moe.Router == RouterKind.Switch || (heedsRenormalize && (ofOne || !moe.Renormalize));
                bool isGrouped = moe.Router == RouterKind.TopK;
                int[][] best = [.. logits.Select(row => isGrouped ? TopOfGroups(row, K, counted: 1) : Top(row, K))];
                double[][] own = [.. logits.Zip(best, (row, chosen) => overAll ? Pick(Softmax(row), chosen) : Softmax(Pick(row, chosen)))];
                return (best, isGrouped ? Map(own, (_, _, v) => moe.RoutedScaling * v) : own);
            case RouterKind.Soft:
                return ([.. logits.Select(_ => Enumerable.Range(0, E).ToArray())], [.. logits.Select(Softmax)]);
            case RouterKind.Base:
                int[][] seats = pass.Training ? [.. givenChoices.Select(e => new[] { e })] : [.. logits.Select(row => Top(row, 1))];
                return (seats, [.. logits.Zip(seats, (row, seat) => new[] { seat[0] < 0 ? 0 : Sigmoid(row[seat[0]]) })]);
            case RouterKind.Sinkhorn:
                double[][] plan = pass.Training ? Sinkhorn(logits) : logits;
                int[][] planned = [.. plan.Select(row => Top(row, K))];
                return (planned, [.. logits.Zip(planned, (row, chosen) => Pick(K == 1 ? [.. row.Select(Sigmoid)] : Softmax(row), chosen))]);
            case RouterKind.ExpertChoice:
                double[][] scores = [.. logits.Select(Softmax)];
                return (ChooseTokens(scores), scores);
            case RouterKind.Hierarchical:
                return ChooseInGroups(logits, groupLogits);
            case RouterKind.DeepSeek:
                double[][] s = Map(logits, (_, _, v) => Sigmoid(v));
                int[][] picked = [.. s.Select(row => TopOfGroups(row, K, counted: 2))];
                double[][] scored = [.. s.Zip(picked, (row, chosen) => Pick(row, chosen))];
                return (picked, Map(scored, (t, _, v) => moe.RoutedScaling * v / (moe.Renormalize ? scored[t].Sum() : 1)));
            default:
                return ([.. givenChoices.Chunk(K)], [.. Enumerable.Range(0, T).Select(_ => Enumerable.Repeat(1.0 / K, K).ToArray())]);
        }
    }

    private (int[][] Choices, double[][] Gates) ChooseInGroups(double[][] logits, double[][] groupLogits)
    {
        int M = E / moe.Groups, A = moe.ActiveGroups, each = moe.Active / A;
        List<int[]> choices = [];
        List<double[]> gates = [];
        foreach ((double[] row, double[] outer) in logits.Zip(groupLogits))
        {
            int[] groups = Top(outer, A);
            double[] outerGates = A == 1 || !moe.Renormalize ? Pick(Softmax(outer), groups) : Softmax(Pick(outer, groups));
            List<(int Expert, double Gate)> chosen = [];
            for (int a = 0; a < A; a++)
            {
                double[] inside = row[(groups[a] * M)..((groups[a] + 1) * M)];
                int[] best = Top(inside, each);
                double[] inner = each == 1 || !moe.Renormalize ? Pick(Softmax(inside), best) : Softmax(Pick(inside, best));
                chosen.AddRange(best.Select((e, k) => (groups[a] * M + e, outerGates[a] * inner[k])));
            }

            choices.Add([.. chosen.Select(c => c.Expert)]);
            gates.Add([.. chosen.Select(c => c.Gate)]);
        }

        return ([.. choices], [.. gates]);
    }

    private int[] TopOfGroups(double[] scores, int K, int counted)
    {
        if (moe.Groups == 1)
            return Top([.. scores.Select((s, e) => s + bias[e])], K);
        int M = E / moe.Groups;
        double[] biased = [.. scores.Select((s, e) => s + bias[e])];
        double[] groupScores = [.. biased.Chunk(M).Select(group => group.OrderDescending().Take(counted).Sum())];
        int[] open = Top(groupScores, moe.ActiveGroups);
        return Top([.. biased.Select((s, e) => open.Contains(e / M) ? s : double.NegativeInfinity)], K);
    }

    private int[][] ChooseTokens(double[][] scores)
    {
        int T = scores.Length, length = T / tokens.Sequences;
        int[][] choices = [.. scores.Select(_ => Enumerable.Repeat(-1, E).ToArray())];
        IEnumerable<IGrouping<int, int>> groups = Enumerable.Range(0, T).GroupBy(t => moe.ChoiceGroup switch
        {
            ChoiceGroup.Batch => 0,
            ChoiceGroup.Sequence => t / length,
            _ => t % length,
        });
        foreach (IGrouping<int, int> all in groups)
        {
            int[] group = Counting(all);
            int capacity = Math.Min(group.Length, Math.Max(1, group.Length * moe.Active / E));
            for (int e = 0; e < E && group.Length > 0; e++)
            {
                foreach (int i in Top([.. group.Select(t => scores[t][e])], capacity))
                    choices[group[i]][e] = e;
            }
        }

        return choices;
    }

    private double[][] Sinkhorn(double[][] logits)
    {
        int[] present = Counting(Enumerable.Range(0, logits.Length));
        double[] c = [.. Enumerable.Repeat(1.0, E)], r = [.. Enumerable.Repeat(1.0, logits.Length)];
        double[][] exps = Map(logits, (_, _, v) => Math.Exp(v));
        for (double change = 1; change > 1e-12;)
        {
            foreach (int t in present)
                r[t] = 1 / exps[t].Zip(c, (v, scale) => v * scale).Sum();
            double[] next = [.. Enumerable.Range(0, E).Select(e => present.Length / (E * present.Sum(t => r[t] * exps[t][e])))];
            change = next.Zip(c, (a, b) => Math.Abs(a - b)).Max();
            c = next;
        }

        return Map(exps, (t, e, v) => r[t] * c[e] * v);          // rows sum to 1: only their order matters here
    }

    /// <summary>GShard: the second stays where twice its gate exceeds a uniform number.</summary>
    private int[][] KeepSecond(int[][] choices, double[][] gates)
    {
        Philox random = new(pass.Key(RandomPurpose.SecondExpert, 0));
        return [.. choices.Select((c, t) =>
        {
            double margin = 2 * gates[t][1] - random.Uniform(t);
            gap = Math.Min(gap, Math.Abs(margin));
            return new[] { c[0], margin > 0 ? c[1] : -1 };
        })];
    }

    private int[][] LimitCapacity(int[][] offered, double[][] gates)
    {
        int T = offered.Length, K = gates[0].Length, counting = Counting(Enumerable.Range(0, T)).Length;
        if (moe.CapacityFactor == 0 || !pass.Training)
            return offered;
        int capacity = Math.Max(moe.MinCapacity, (int)(moe.CapacityFactor * counting * moe.ActiveOfRouter / E));
        Philox random = new(pass.Key(RandomPurpose.DropOrder, 0));
        int[][] kept = [.. offered.Select(row => Enumerable.Repeat(-1, K).ToArray())];
        for (int e = 0; e < E; e++)
        {
            var wanted = Enumerable.Range(0, T * K).Where(i => offered[i / K][i % K] == e)
                .OrderByDescending(i => moe.Drop switch { DropOrder.Probability => Gate(i), DropOrder.Random => random.Uniform(i), _ => 0 })
                .ThenBy(i => i % K).ThenBy(i => i / K).ToArray();
            if (wanted.Length > capacity && moe.Drop == DropOrder.Probability)
                gap = Math.Min(gap, Math.Abs(Gate(wanted[capacity - 1]) - Gate(wanted[capacity])));
            foreach (int i in wanted.Take(capacity))
                kept[i / K][i % K] = e;
        }

        return kept;

        double Gate(int i) => gates[i / K][i % K];
    }

    private double[][] Jittered(double[][] x)
    {
        if (!pass.Training || moe.Jitter == 0)
            return x;
        Philox random = new(pass.Key(RandomPurpose.RouterJitter, 0));
        return Map(x, (t, c, v) => v * (1 - moe.Jitter + 2 * moe.Jitter * random.Uniform(t * width + c)));
    }

    private double[][] Noisy(double[][] logits)
    {
        if (!pass.Training)
            return logits;
        Philox random = new(pass.Key(RandomPurpose.GateDropout, 0));
        double[][] masked = Map(
            logits, (t, e, v) => moe.GateDropout > 0 && random.Uniform(t * E + e) < moe.GateDropout ? v - 1e9 : v);
        return moe.LogitNoise > 0 ? Map(masked, (t, e, v) => v + moe.LogitNoise / E * noise[t * E + e]) : masked;
    }

    private double[][] Probabilities(double[][] clean, double[][] groupLogits) => moe.Router switch
    {
        RouterKind.DeepSeek => [.. clean.Select(row => row.Select(Sigmoid).ToArray()).Select(s => s.Select(v => v / s.Sum()).ToArray())],
        RouterKind.Hierarchical when groupLogits.Length > 0 => [.. clean.Zip(groupLogits, (row, outer) => row.Chunk(E / moe.Groups)
            .Zip(Softmax(outer), (inside, p) => Softmax(inside).Select(v => p * v)).SelectMany(v => v).ToArray())],
        _ => [.. clean.Select(Softmax)],
    };

    /// <summary>E/K·Σ f·P over some tokens, of each its first choices.</summary>
    private double Balance(double[][] p, int[][] choices, int[] over, int counted, int active)
    {
        double n = over.Length;
        double[] mean = Columns(p, over);
        double Share(int e) => over.Sum(t => choices[t].Take(counted).Count(c => c == e)) / n;
        return Enumerable.Range(0, E).Sum(e => E / (double)active * Share(e) * (mean[e] / n));
    }

    private double Load(double[][] clean, double[][] noisy, double[][] deviations)
    {
        int K = moe.ActiveOfRouter;
        double[] load = new double[E];
        foreach (int t in Counting(Enumerable.Range(0, clean.Length)))
        {
            int[] order = Top(noisy[t], K + 1);
            for (int e = 0; e < E; e++)
            {
                bool own = deviations.Length > 0, isIn = own && order.Take(K).Contains(e);
                double threshold = noisy[t][order[isIn ? K : K - 1]];
                load[e] += NormalCdf((clean[t][e] - threshold) / (own ? deviations[t][e] : moe.LogitNoise / E));
            }
        }

        return Variation(load);
    }

    private int[][] WithoutPadding(int[][] choices) => tokens.Counts is not { } counts
        ? choices
        : [.. choices.Select((row, t) => counts[t] ? row : [.. row.Select(_ => -1)])];

    private int[] Counting(IEnumerable<int> some) => [.. some.Where(t => tokens.Counts?[t] ?? true)];

    private double[][] Dense(int[][] choices, double[][] gates) =>
        [.. choices.Select((row, t) => Enumerable.Range(0, E).Select(e => row.Select((c, k) => c == e ? gates[t][k] : 0).Sum()).ToArray())];

    private double[] Columns(double[][] x, IEnumerable<int> over) => [.. Enumerable.Range(0, E).Select(e => over.Sum(t => x[t][e]))];

    private static double Variation(double[] v) => v.Average(a => Math.Pow(a - v.Average(), 2)) / (Math.Pow(v.Average(), 2) + 1e-10);

    private double[][] Linear(double[][] x, double[] w, double[]? b = null) =>
        [.. x.Select(row => w.Chunk(width).Select((v, i) => row.Zip(v, (a, c) => a * c).Sum() + (b?[i] ?? 0)).ToArray())];

    /// <summary>The K largest, the lower among equals.</summary>
    private int[] Top(double[] row, int K)
    {
        int[] order = [.. Enumerable.Range(0, row.Length).OrderByDescending(i => row[i])];
        for (int k = 0; k < K && k + 1 < order.Length; k++)
            gap = Math.Min(gap, row[order[k]] - row[order[k + 1]]);
        return order[..K];
    }

    private static double[][] Map(double[][] x, Func<int, int, double, double> f) =>
        [.. x.Select((row, t) => row.Select((v, i) => f(t, i, v)).ToArray())];

    private static double[] Pick(double[] row, int[] chosen) => [.. chosen.Select(e => row[e])];

    private static double[] Softmax(double[] row)
    {
        double largest = row.Max(), sum = row.Sum(v => Math.Exp(v - largest));
        return [.. row.Select(v => Math.Exp(v - largest) / sum)];
    }

    private static double Sigmoid(double v) => 1 / (1 + Math.Exp(-v));

    /// <summary>
    /// Φ(z) by the series of its odd powers (Abramowitz and Stegun 26.2.11), exact to double precision where it is not 0 or 1.
    /// </summary>
    private static double NormalCdf(double z)
    {
        if (Math.Abs(z) > 8)
            return z > 0 ? 1 : 0;
        double term = z, sum = z;
        for (int n = 3; Math.Abs(term) > 1e-18 * Math.Abs(sum); n += 2)
        {
            term *= z * z / n;
            sum += term;
        }

        return 0.5 + sum * Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI);
    }
}
