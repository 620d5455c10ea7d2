namespace TinyMoE.Examples.Specialisation;

/// <summary>
/// How much of a layer's routing a class of the token (its id, its domain) explains: the share of the uncertainty about the choices that
/// goes away with the class, in the form of a normalised mutual information,
/// <code>
/// U(X) = Σ_e I(Z_e; X) / Σ_e H(Z_e),   Z_e = 1 where a token chose expert e, else 0,
/// </code>
/// so that 1 is reached where the class decides all K choices, whatever K is: the mutual information of one of them could not get there.
/// Many classes and few tokens explain by chance, so that U₀, the mean of some shuffles of the classes among the tokens, is taken away as
/// an adjusted mutual information does it, (U − U₀)/(1 − U₀) (Vinh et al. 2010).
/// </summary>
internal static class Explained
{
    private const int Shuffles = 3;

    /// <summary>(U − U₀)/(1 − U₀). chosen (N) with the experts of each token, classes (N), from 0.</summary>
    public static double By(IReadOnlyList<int[]> chosen, int experts, int[] classes)
    {
        double all = Uncertainty(chosen, experts, new int[classes.Length]);
        if (all == 0)
            return 0; // nothing to explain
        double share = 1 - Uncertainty(chosen, experts, classes) / all;
        double chance = MeanOfShuffles(random =>
        {
            int[] shuffled = [.. classes];
            random.Shuffle(shuffled);
            return 1 - Uncertainty(chosen, experts, shuffled) / all;
        });
        return chance == 1 ? 0 : (share - chance) / (1 - chance);
    }

    /// <summary>
    /// What a class explains beyond another that is known: Σ_e I(Z_e; X | Y) / Σ_e H(Z_e), less the same with X shuffled among the tokens
    /// of each Y. classes, known (N), from 0.
    /// </summary>
    public static double Beyond(IReadOnlyList<int[]> chosen, int experts, int[] classes, int[] known)
    {
        double all = Uncertainty(chosen, experts, new int[classes.Length]);
        if (all == 0)
            return 0;
        int[][] groups = [.. Enumerable.Range(0, known.Length).GroupBy(n => known[n]).Select(group => group.ToArray())];
        double left = Uncertainty(chosen, experts, Pairs(classes, known));
        double chance = MeanOfShuffles(
            random => Uncertainty(chosen, experts, Pairs(ShuffledWithin(groups, classes, random), known)));
        return (chance - left) / all;
    }

    /// <summary>Σ_e H(Z_e | X), in nats.</summary>
    private static double Uncertainty(IReadOnlyList<int[]> chosen, int experts, int[] classes)
    {
        int C = classes.Max() + 1;
        (int[] tokens, int[] counts) = (new int[C], new int[C * experts]);
        for (int n = 0; n < classes.Length; n++)
        {
            tokens[classes[n]]++;
            foreach (int e in chosen[n])
                counts[classes[n] * experts + e]++;
        }

        double sum = 0;
        for (int c = 0; c < C; c++)
        {
            for (int e = 0; e < experts; e++)
                sum += Uncertainty(counts[c * experts + e], tokens[c]);
        }

        return sum / classes.Length;
    }

    /// <summary>n·h(k/n), the entropy of n answers of which k are yes.</summary>
    private static double Uncertainty(int k, int n) =>
        k == 0 || k == n ? 0 : n * Math.Log(n) - k * Math.Log(k) - (n - k) * Math.Log(n - k);

    private static int[] Pairs(int[] classes, int[] known)
    {
        int C = classes.Max() + 1;
        return [.. classes.Zip(known, (c, k) => k * C + c)];
    }

    private static int[] ShuffledWithin(int[][] groups, int[] classes, Random random)
    {
        int[] shuffled = new int[classes.Length];
        foreach (int[] group in groups)
        {
            int[] own = [.. group.Select(n => classes[n])];
            random.Shuffle(own);
            for (int i = 0; i < own.Length; i++)
                shuffled[group[i]] = own[i];
        }

        return shuffled;
    }

    private static double MeanOfShuffles(Func<Random, double> value) =>
        Enumerable.Range(1, Shuffles).Average(seed => value(new Random(seed)));
}
