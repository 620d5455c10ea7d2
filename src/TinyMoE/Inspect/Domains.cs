using TinyMoE.Data;

namespace TinyMoE.Inspect;

/// <summary>
/// The labels of the text of an evaluation: the most frequent by name, the rest together, since a text can have a label for every record.
/// </summary>
internal sealed class Domains
{
    private const int MostByName = 12;

    private readonly int[] domainOf; // by label

    private Domains(int[] domainOf, string[] names, float[] shares) => (this.domainOf, Names, Shares) = (domainOf, names, shares);

    /// <summary>The names of the domains, the largest first; "(3 more)" for the rest.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The share of the tokens that each domain has.</summary>
    public IReadOnlyList<float> Shares { get; }

    /// <summary>The domains of what is evaluated, the largest first; null where all tokens have the same label.</summary>
    public static Domains? Of(IEvaluationSource source)
    {
        if (source.Labels.Count == 1)
            return null;
        long[] counts = source.CountLabels();
        IEnumerable<int> seen = Enumerable.Range(0, counts.Length).Where(label => counts[label] > 0);
        int[] order = [.. seen.OrderByDescending(label => counts[label]).ThenBy(label => label)];
        if (order.Length < 2)
            return null;
        int[] named = [.. order.Take(MostByName)];
        int[] domainOf = new int[counts.Length];
        Array.Fill(domainOf, named.Length);
        for (int domain = 0; domain < named.Length; domain++)
            domainOf[named[domain]] = domain;
        List<string> names = [.. named.Select(label => source.Labels[label])];
        List<long> sizes = [.. named.Select(label => counts[label])];
        if (order.Length > named.Length)
        {
            names.Add($"({order.Length - named.Length} more)");
            sizes.Add(order.Skip(named.Length).Sum(label => counts[label]));
        }

        double all = sizes.Sum();
        return new Domains(domainOf, [.. names], [.. sizes.Select(size => (float)(size / all))]);
    }

    /// <summary>Replaces each label by its domain, in place.</summary>
    public void Replace(Span<int> labels)
    {
        foreach (ref int label in labels)
            label = domainOf[label];
    }
}
