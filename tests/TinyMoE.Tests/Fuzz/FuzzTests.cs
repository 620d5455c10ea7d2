using TinyMoE.Fuzz;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Fuzz;

/// <summary>
/// Readers (tests/TinyMoE.Fuzz) are given kept inputs (tests/golden/fuzz: seeds, and inputs that once were dealt with wrongly) and changed
/// ones: they load what a file says, or refuse it in one line.
/// </summary>
public sealed class FuzzTests : IDisposable
{
    private const int Fewest = 20; // inputs that show something

    private static readonly TimeSpan TimePerReader = TimeSpan.FromMilliseconds(700);

    private static readonly string Kept = Path.Combine(FloorsTests.RepositoryRoot(), "tests", "golden", "fuzz");

    private readonly string work = TinyMoE.Fuzz.Program.WorkFolder();

    public static TheoryData<string> Names => [.. Readers.All.Select(target => target.Name)];

    public void Dispose() => Directory.Delete(work, recursive: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void Reader_GivenKeptInputs_LoadsOrRefusesThem(string name)
    {
        Target target = Find(name);
        IEnumerable<byte[]> inputs = new Fuzzing(Kept, work).Kept(name).Concat(target.Made(work));

        Assert.NotEmpty(inputs);
        Assert.All(inputs, input => Assert.Null(Fuzzing.Try(target, input, work, out _)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Reader_GivenChangedInputs_LoadsOrRefusesThem(string name)
    {
        Fuzzing fuzzing = new(Kept, work);
        TargetResult result = fuzzing.Run(Find(name), TimePerReader, threads: 1, seed: 1);
        if (result.Inputs <= Fewest) // on a machine that does much else
            result = fuzzing.Run(Find(name), 20 * TimePerReader, threads: 1, seed: 1, most: Fewest + 1);

        Assert.True(result.Inputs > Fewest, $"only {result.Inputs} inputs");
        Assert.Empty(result.Faults.Select(fault => $"{fault.What}: {Convert.ToBase64String(fault.Input)}"));
    }

    [Theory]
    [InlineData("safetensors", "two")]
    [InlineData("index", "two")]
    [InlineData("config", "whole")]
    [InlineData("family-config", "mixtral")]
    [InlineData("family-config", "gpt-oss")]
    [InlineData("family-config", "deepseek-v3-yarn")]
    [InlineData("tokenizer", "char")]
    [InlineData("tokenizer-json", "bytes")]
    [InlineData("tokenizer-json", "split")]
    [InlineData("tokenizer-json", "spaces")]
    [InlineData("tokenizer-json", "metaspace")]
    [InlineData("sentencepiece", "bpe")]
    [InlineData("tiktoken", "four")]
    [InlineData("tokenizer-config", "whole")]
    [InlineData("labels", "two")]
    [InlineData("records", "three")]
    [InlineData("state", "old")]
    [InlineData("routing", "two-layers")]
    [InlineData("metrics", "three")]
    [InlineData("sums", "two")]
    [InlineData("chat", "formats")]
    [InlineData("chat", "blocks")]
    public void Seed_OfAReader_Loads(string name, string seed)
    {
        byte[] input = File.ReadAllBytes(Path.Combine(Kept, name, seed));

        Assert.Null(Fuzzing.Try(Find(name), input, work, out string end));
        Assert.Equal("loads", end);
    }

    [Fact]
    public void AReaderThatFails_IsFound()
    {
        using TemporaryFolder corpus = new();
        corpus.Write("planted/seed", "[1, 2]");
        FileTarget planted = new("planted", "a", (path, input) => input.Contains((byte)'[') ? null : throw new FormatException("no list"));
        FileTarget talkative = new("planted", "a", (path, input) => throw new TinyMoEException(new string('a', 5000)));

        Fuzzing fuzzing = new(corpus.Root, work);
        Fault fault = Assert.Single(fuzzing.Run(planted, TimeSpan.FromSeconds(5), threads: 1, seed: 1, most: 2000).Faults);

        Assert.StartsWith("FormatException: no list", fault.What);
        Assert.DoesNotContain((byte)'[', fault.Input);
        Assert.Null(Fuzzing.Try(talkative, [], work, out _)); // an error shortens itself
    }

    private static Target Find(string name) => Readers.All.Single(target => target.Name == name);
}
