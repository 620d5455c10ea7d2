using System.Text;
using TinyMoE.Tokenizers.Training;

namespace TinyMoE.Tests.Tokenizers.Training;

public sealed class WordCountsTests
{
    [Fact]
    public void Add_ManyWords_CountsAsADictionary()
    {
        Random random = new(1);
        Dictionary<string, long> expected = [];
        WordCounts counts = new(), others = new();
        for (int i = 0; i < 200_000; i++)
        {
            string word = new([.. Enumerable.Range(0, random.Next(20)).Select(_ => (char)random.Next('a', 'e'))]);
            expected[word] = expected.GetValueOrDefault(word) + 1;
            (i % 3 == 0 ? others : counts).Add(Encoding.UTF8.GetBytes(word));
        }

        counts.Add(others);
        Assert.Equal(expected.Count, counts.Count);
        Assert.Equal(200_000, counts.Total);
        for (int word = 0; word < counts.Count; word++)
            Assert.Equal(expected[Encoding.UTF8.GetString(counts[word])], counts.CountOf(word));
    }
}
