using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Data;

public sealed class AllHeldOutTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(LabelKind.Source)]
    [InlineData(LabelKind.File)]
    public void AllHeldOut_TextOfSeveralParts_IsInItsOwnOrderWithItsLabels(LabelKind labels)
    {
        folder.Write("d/1.txt", new string('a', 10));
        folder.Write("d/2.txt", new string('b', 30));
        folder.Write("d/sub/1.txt", new string('c', 20));
        string last = folder.Write("e.txt", new string('d', 20));
        Corpus split = Corpus.Load(new DataConfig { Sources = [folder["d"], last], Labels = labels, Validation = 0.3f });

        Corpus whole = split.AllHeldOut();

        string text = new string('a', 10) + "\n" + new string('b', 30) + "\n" + new string('c', 20) + "\n" + new string('d', 20) + "\n";
        Assert.Equal(text, whole.Tokenizer.Decode(whole.Validation.ToArray()));
        Assert.Equal(0, whole.Train.Length);
        Assert.NotEqual(split.Fingerprint, whole.Fingerprint);
        Assert.Equal(split.Labels, whole.Labels);
        Dictionary<char, string> names = labels == LabelKind.Source
            ? new() { ['a'] = "d", ['b'] = "d", ['c'] = "d", ['d'] = "e" }
            : new() { ['a'] = "1", ['b'] = "2", ['c'] = "1", ['d'] = "e" };
        int[] ids = new int[4], targets = new int[4], numbers = new int[4];
        Assert.Equal((text.Length - 1) / 4, whole.ValidationWindows(4));
        for (int window = 0; window < whole.ValidationWindows(4); window++)
        {
            whole.ValidationWindow(window, ids, targets, numbers);
            string expected = text[(4 * window)..][..5];
            Assert.Equal(expected, whole.Tokenizer.Decode([.. ids, targets[^1]]));
            for (int i = 0; i < 4; i++)
            {
                if (names.TryGetValue(expected[i], out string? name))
                    Assert.Equal(name, whole.Labels[numbers[i]]);
            }
        }
    }

    [Fact]
    public void CheckContext_AllHeldOut_NeedsOneWindowOnly()
    {
        Corpus whole = new Corpus(new ByteTokenizer(), new int[9], 0.5f).AllHeldOut();

        whole.CheckContext(8);
        Assert.StartsWith("The text has 9 tokens, and a context of 9 needs at least 10", OneLine.Of(() => whole.CheckContext(9)));
    }
}
