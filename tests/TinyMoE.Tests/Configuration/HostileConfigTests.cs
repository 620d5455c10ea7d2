using System.Diagnostics;
using TinyMoE.Configuration;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Configuration;

/// <summary>Configurations that nobody writes by hand: each is one short line that names the file.</summary>
public sealed class HostileConfigTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("""{"data":{"sources":"\ud800"}}""", "surrogate")]
    [InlineData("""{"data":{"sources":["a","b\udc00"]}}""", "surrogate")]
    [InlineData("""{"\ud800":{}}""", "surrogate")]
    [InlineData("""{"model":{"\ud800":1}}""", "surrogate")]
    [InlineData("""{"model":{"norm":"\ud800"}}""", "surrogate")]
    [InlineData("""{"model":{"width":"\ud800"}}""", "surrogate")]
    [InlineData("""{"model":{"width":{"\ud800":1}}}""", "surrogate")]
    [InlineData("""{"model":{"width":[{"\ud800":1}]}}""", "surrogate")]
    [InlineData("""{"model":{"width":{"a":1}}}""", "model.width needs a whole number, not '{\"a\":1}'")]
    [InlineData("""{"model":{"width":[[1]]}}""", "model.width needs a whole number")]
    [InlineData("""{"model":{"width":true}}""", "model.width needs a whole number, not 'true'")]
    [InlineData("""{"model":{"width":1e400}}""", "model.width needs a whole number, not '1e400'")]
    [InlineData("""{"model":{"dropout":1e400}}""", "model.dropout needs a number, not '1e400'")]
    [InlineData("""{"model":{"dropout":-1e400}}""", "model.dropout needs a number, not '-1e400'")]
    [InlineData("""{"train":{"seed":-1}}""", "train.seed needs a whole number, not '-1'")]
    [InlineData("""{"attention":{"window":[[1]]}}""", "attention.window needs")]
    [InlineData("""{"attention":{"window":[1e9999]}}""", "attention.window needs")]
    [InlineData("""{"attention":{"window":[null]}}""", "attention.window needs")]
    [InlineData("""{"data":{"sources":[["a"]]}}""", "data.sources needs a list of texts")]
    [InlineData("""{"data":{"sources":{"a":"b"}}}""", "data.sources needs a list of texts")]
    [InlineData("""{"data":{"sources":null}}""", "data.sources needs a list of texts")]
    [InlineData("""{"model":null}""", "model needs an object")]
    [InlineData("""{"model":[]}""", "model needs an object")]
    [InlineData("null", "a configuration is a JSON object")]
    [InlineData("1e400", "a configuration is a JSON object")]
    [InlineData("\"\\ud800\"", "a configuration is a JSON object")]
    [InlineData("""{"model":{"norm":"\u001b[31m\nrms"}}""", "model.norm has no '?[31m?rms'")]
    [InlineData("""{"\u001b[31m\u202e":1}""", "unknown key '?[31m?'")]
    [InlineData("""{"model":{"a\u0000b":1,"a\u0000b":1}}""", "not valid JSON")]
    [InlineData("{\"model\":{\"width\":1}}\0", "not valid JSON")]
    [InlineData("{\u001b}", "not valid JSON")]
    public void Load_OfOddJson_IsOneLine(string json, string said) => AssertFails(folder.Write("c.json", json), said);

    [Fact]
    public void Load_OfBytesThatAreNotUtf8_IsOneLine() => AssertFails(folder.Write("c.json", [0x7B, 0xFF, 0x7D]), "not UTF-8");

    [Theory]
    [InlineData('[', 10_000)]
    [InlineData('{', 10_000)]
    [InlineData(' ', 100_000_000)]
    [InlineData('1', 3_000_000)]
    public void Load_OfMuchOfTheSame_IsOneLineAtOnce(char what, int count)
    {
        Stopwatch clock = Stopwatch.StartNew();
        AssertFails(folder.Write("c.json", new string(what, count)), "");
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5);
    }

    [Theory]
    [InlineData("""{"@":1}""")]
    [InlineData("""{"model":{"@":1}}""")]
    [InlineData("""{"model":{"width":"@"}}""")]
    [InlineData("""{"model":{"norm":"@"}}""")]
    [InlineData("""{"model":{"@":1,"@":2}}""")]
    public void Load_OfALongName_IsAShortLineAtOnce(string json)
    {
        Stopwatch clock = Stopwatch.StartNew();
        string path = folder.Write("c.json", json.Replace("@", new string('x', 1_000_000), StringComparison.Ordinal));
        AssertFails(path, "xxx");
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5);
    }

    [Fact]
    public void Validate_OfVeryManyWindows_IsAShortLine()
    {
        string list = string.Join(',', Enumerable.Range(0, 200_000));
        RunConfig config = ConfigJson.Load(folder.Write("c.json", $$$"""{"attention":{"window":[{{{list}}}]}}"""));
        string message = Assert.Throws<TinyMoEException>(config.Validate).Message;
        Assert.Contains("200000 layers", message, StringComparison.Ordinal);
        Assert.InRange(message.Length, 1, 400);
    }

    [Fact]
    public void Validate_OfAPathWithANull_SaysSo()
    {
        RunConfig config = ConfigJson.Load(folder.Write("c.json", """{"data":{"sources":["a\u0000b"]}}"""));
        Assert.Contains("U+0000", Assert.Throws<TinyMoEException>(config.Validate).Message, StringComparison.Ordinal);
    }

    private static void AssertFails(string path, string said)
    {
        string message = Assert.Throws<TinyMoEException>(() => ConfigJson.Load(path)).Message;
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Contains(said, message, StringComparison.Ordinal);
        Assert.DoesNotContain(message, char.IsControl);
        Assert.InRange(message.Length, 1, path.Length + 500);
    }
}
