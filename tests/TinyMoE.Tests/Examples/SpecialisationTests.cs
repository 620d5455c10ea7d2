using System.Xml.Linq;
using TinyMoE.Examples;
using TinyMoE.Examples.Specialisation;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Examples;

/// <summary>What the example specialisation computes by itself: how much a class explains, rank correlation, texts, pictures.</summary>
public sealed class SpecialisationTests : IDisposable
{
    private const int Tokens = 4000, Experts = 8;

    private readonly TemporaryFolder folder = new();
    private readonly int[] ids, domains;

    public SpecialisationTests()
    {
        Random random = new(Seed: 7);
        ids = [.. Enumerable.Range(0, Tokens).Select(_ => random.Next(200))];
        domains = [.. ids.Select(id => random.Next(4) == 0 ? random.Next(4) : id % 4)]; // which mostly follows the id
    }

    [Fact]
    public void Explained_ChoicesThatTheIdDecides_AreExplainedByItAlone()
    {
        int[][] chosen = [.. ids.Select(id => new[] { id % Experts, (id + 3) % Experts })];
        Assert.Equal(1, Explained.By(chosen, Experts, ids), 1e-12);
        Assert.Equal(0, Explained.Beyond(chosen, Experts, domains, known: ids), 1e-12);
        Assert.InRange(Explained.By(chosen, Experts, domains), 0.1, 0.7); // since a domain has ids of its own
        Assert.InRange(Explained.Beyond(chosen, Experts, ids, known: domains), 0.3, 0.95);
    }

    [Fact]
    public void Explained_ChoicesByChance_AreNotExplained()
    {
        Random random = new(Seed: 8);
        int[][] chosen = [.. ids.Select(_ => new[] { random.Next(4), 4 + random.Next(4) })];
        Assert.Equal(0, Explained.By(chosen, Experts, ids), 0.01);
        Assert.Equal(0, Explained.By(chosen, Experts, domains), 0.01);
        Assert.Equal(0, Explained.Beyond(chosen, Experts, domains, known: ids), 0.01);
    }

    [Fact]
    public void Explained_ChoicesByIdAndDomain_AreExplainedByBothTogether()
    {
        int[][] chosen = [.. ids.Zip(domains, (id, domain) => new[] { id % 4, 4 + domain })];
        double token = Explained.By(chosen, Experts, ids), beyond = Explained.Beyond(chosen, Experts, domains, known: ids);
        Assert.InRange(token, 0.6, 0.9);
        Assert.InRange(beyond, 0.1, 0.4);
        Assert.InRange(token + beyond, 0.93, 1); // less by what is taken away as chance
    }

    [Fact]
    public void Explained_OneExpertForAll_IsNothingToExplain()
    {
        int[][] chosen = [.. ids.Select(_ => new[] { 3 })];
        Assert.Equal(0, Explained.By(chosen, Experts, ids));
        Assert.Equal(0, Explained.Beyond(chosen, Experts, domains, known: ids));
    }

    [Fact]
    public void RankCorrelation_IsOfOrderNotOfSize()
    {
        Assert.Equal(1, Statistics.RankCorrelation([1, 2, 3, 4], [1, 10, 11, 1000]), 1e-12);
        Assert.Equal(-1, Statistics.RankCorrelation([1, 2, 3], [3, 2, 1]), 1e-12);
        Assert.Equal(0.8, Statistics.RankCorrelation([1, 2, 3, 4], [1, 3, 2, 4]), 1e-12); // 1 − 6Σd²/(n³ − n)
        Assert.Equal(0.9486832980505138, Statistics.RankCorrelation([1, 2, 2, 3], [1, 2, 3, 4]), 1e-12); // equal values share ranks
        Assert.Equal(0, Statistics.RankCorrelation([1, 1, 1], [1, 2, 3]));
    }

    [Fact]
    public void Spread_IsMeanAndDeviation()
    {
        Assert.Equal("2.00 ± 1.00", Statistics.Spread([1, 2, 3], "F2"));
        Assert.Equal("1.5", Statistics.Spread([1.5], "F1"));
    }

    [Fact]
    public void Pictures_AreXmlWithNumbers_AndSmall()
    {
        Mixture[] mixtures = [Made("coarse", 8, 2), Made("fine", 32, 8)];
        Pictures.Write(folder.Root, mixtures, ["prose", "C++ & <more>"]);
        string[] files = Directory.GetFiles(folder.Root, "*.svg");
        Assert.Equal(4, files.Length);
        Assert.All(files, file =>
        {
            string text = File.ReadAllText(file);
            Assert.Equal("svg", XDocument.Parse(text).Root!.Name.LocalName);
            Assert.DoesNotContain("NaN", text, StringComparison.Ordinal);
            Assert.DoesNotContain("Infinity", text, StringComparison.Ordinal);
            Assert.InRange(text.Length, 1000, 60_000);
        });
    }

    [Fact]
    public void Tables_HaveARowPerLayer_AndTheirMean()
    {
        StringWriter output = new();
        Tables.Write(output, [Made("coarse", 8, 2), Made("fine", 32, 8)]);
        string[] lines = output.ToString().Split('\n');
        Assert.Equal(5, lines.Count(line => line.StartsWith("| fine | 1 |", StringComparison.Ordinal))); // one more says what it lives on
        Assert.Equal(4, lines.Count(line => line.StartsWith("| coarse | mean |", StringComparison.Ordinal)));
        Assert.DoesNotContain("NaN", output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"seeds": [1]}""", "needs domains")]
    [InlineData("""{"domain_characters": 10, "domains": {"lost": "nowhere/**/*.txt"}}""", "domain lost needs files of nowhere/**/*.txt")]
    [InlineData("""{"domain_characters": 10, "domains": {"none": "docs/**/*.nothing"}}""", "no text for the domain none")]
    public void Domains_ThatAreNotThere_AreToldInOneLine(string study, string problem)
    {
        string path = folder.Write("config.json", study);
        TinyMoEException e = Assert.Throws<TinyMoEException>(() => DomainTexts.Write(path, Path.Combine(folder.Root, "texts")));
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void Domains_AreNoLongerThanSaid_AndEndWithALine()
    {
        string path = folder.Write(
            "config.json", """{"domain_characters": 20000, "domains": {"C#": "src/**/*.cs", "text": "docs/**/*.md"}}""");
        string[] sources = DomainTexts.Write(path, Path.Combine(folder.Root, "texts"));
        Assert.Equal(["C#", "text"], sources.Select(source => source.Split('=')[0]));
        Assert.All(sources, source =>
        {
            string text = File.ReadAllText(source.Split('=')[1]);
            Assert.InRange(text.Length, 15_000, 20_000);
            Assert.EndsWith("\n", text, StringComparison.Ordinal);
        });
    }

    public void Dispose() => folder.Dispose();

    /// <summary>A mixture of two layers and two seeds with numbers of any kind, costs below 0 among them.</summary>
    private static Mixture Made(string name, int experts, int active)
    {
        Expert[] all = [.. Enumerable.Range(0, experts).Select(
            e => new Expert(e % 5 / 2.0, (e % 7) - 1, e, [0, 1 + e], e % 2 == 0, ["a|b", "`"]))];
        LayerFindings[] layers = [.. Enumerable.Range(0, 2).Select(layer => new LayerFindings(
            layer, new Explanation(0.5, 0.3, 0.1, 0.2, -0.001, 0.3), new Vocabulary(0.5, 0.2), new Vocabulary(0.4, 0.2),
            [new Saturation(10, 0.3, 0.4), new Saturation(20, 1, 1)], all))];
        RunFindings run = new([(10, 3.5), (20, 3.1)], 1000, layers);
        return new Mixture(name, experts, active, 64, [run, run]);
    }
}
