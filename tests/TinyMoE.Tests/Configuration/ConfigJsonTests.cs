using TinyMoE.Configuration;

namespace TinyMoE.Tests.Configuration;

public sealed class ConfigJsonTests
{
    public static TheoryData<string> PresetNames => [.. Presets.All.Select(preset => preset.Name)];

    [Theory]
    [MemberData(nameof(PresetNames))]
    public void Read_WhatWriteWrote_GivesTheSame(string preset)
    {
        string json = ConfigJson.Write(Presets.Get(preset));
        Assert.Equal(json, ConfigJson.Write(ConfigJson.Read(json, new RunConfig())));
    }

    [Fact]
    public void Write_Default_UsesTheNamesPeopleWrite()
    {
        string json = ConfigJson.Write(Presets.Get("shazeer-tiny"));
        foreach (string expected in new[]
        {
            "\"kv_heads\": 2", "\"norm\": \"layer\"", "\"positions\": \"rope\"", "\"feed_forward\": \"relu\"",
            "\"router\": \"noisy-top-k\"",
            "\"z_loss\": 0", "\"beta1\": 0.9", "\"schedule\": \"cosine\"", "\"tokenizer\": \"char\"", "\"tie_embeddings\": true",
        })
            Assert.Contains(expected, json);
        Assert.Contains("\"feed_forward\": \"swiglu\"", ConfigJson.Write(Presets.Get("mixtral-tiny")));
    }

    [Fact]
    public void Read_PartOfTheKeys_KeepsTheRestOfTheDefaultPreset()
    {
        RunConfig config = ConfigJson.Read("""
            {
              // comments and trailing commas are fine
              "model": { "width": 64, "norm": "layer", "dropout": 1e-1, },
              "train": { "seed": 18446744073709551615 },
              "data": { "sources": "poems.txt" },
            }
            """);
        Assert.Equal(64, config.Model.Width);
        Assert.Equal(NormKind.Layer, config.Model.Norm);
        Assert.Equal(0.1f, config.Model.Dropout);
        Assert.Equal(ulong.MaxValue, config.Train.Seed);
        Assert.Equal(["poems.txt"], config.Data.Sources);
        Assert.Equal(2, config.Attention.KvHeads);
        Assert.Equal(Presets.Get(Presets.Default).Moe, config.Moe);
    }

    [Theory]
    [InlineData("""{"model":{"widht":1}}""", "unknown key 'model.widht'; did you mean 'model.width'?")]
    [InlineData("""{"modle":{"width":1}}""", "unknown key 'modle'; did you mean 'model'?")]
    [InlineData("""{"width":1}""", "unknown key 'width'; did you mean 'model.width'?")]
    [InlineData(
        """{"data":{"qqqqqqqq":1}}""",
        "unknown key 'data.qqqqqqqq'; data has sources, labels, tokenizer, tokenizer_vocabulary, tokenizer_style, tokenizer_file, "
        + "validation")]
    [InlineData("""{"qqqqqqqq":1}""", "unknown key 'qqqqqqqq'; keys begin with model., attention., moe., train., data. as in model.width")]
    [InlineData("""{"model":{"width":"abc"}}""", "model.width needs a whole number, not 'abc'")]
    [InlineData("""{"model":{"width":1.5}}""", "model.width needs a whole number, not '1.5'")]
    [InlineData("""{"model":{"width":null}}""", "model.width needs a whole number, not 'null'")]
    [InlineData("""{"model":{"width":99999999999}}""", "model.width needs a whole number, not '99999999999'")]
    [InlineData("""{"model":{"dropout":"NaN"}}""", "model.dropout needs a number, not 'NaN'")]
    [InlineData("""{"model":{"biases":1}}""", "model.biases needs true or false, not '1'")]
    [InlineData("""{"model":{"norm":"batch"}}""", "model.norm has no 'batch'; known: rms, layer")]
    [InlineData("""{"model":{"norm":0}}""", "model.norm has no '0'; known: rms, layer")]
    [InlineData("""{"data":{"sources":[1]}}""", "data.sources needs a list of texts, not '1'")]
    [InlineData("""{"attention":{"window":[4,"8"]}}""", "attention.window needs a whole number, or a list of them, not '4, \"8\"'")]
    [InlineData("""{"attention":{"window":[]}}""", "attention.window needs a whole number, or a list of them, not ''")]
    [InlineData("""{"attention":{"output_bias":1}}""", "attention.output_bias has no '1'; known: as-model, true, false")]
    [InlineData(
        """{"attention":{"heads":2},"model":{"heads":4}}""",
        "attention.heads and model.heads are the same key; keep attention.heads")]
    [InlineData("""{"model":3}""", """model needs an object, like {"model": {"width": 128}}""")]
    [InlineData("[]", """a configuration is a JSON object, like {"model": {"width": 128}}""")]
    public void Read_WrongInput_SaysWhatAndWhatInstead(string json, string expected) =>
        Assert.Equal(expected, Assert.Throws<TinyMoEException>(() => ConfigJson.Read(json)).Message);

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"model":{"width":1,"width":2}}""")]
    public void Read_BrokenJson_IsOneLine(string json)
    {
        string message = Assert.Throws<TinyMoEException>(() => ConfigJson.Read(json)).Message;
        Assert.StartsWith("not valid JSON: ", message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Load_ErrorInFile_NamesTheFile()
    {
        string path = Path.Combine(Path.GetTempPath(), $"tinymoe-{Guid.NewGuid():N}.json");
        Assert.Equal($"{path}: there is no such file", Assert.Throws<TinyMoEException>(() => ConfigJson.Load(path)).Message);
        File.WriteAllText(path, """{"moe":{"expert":4}}""");
        try
        {
            TinyMoEException error = Assert.Throws<TinyMoEException>(() => ConfigJson.Load(path));
            Assert.Equal($"{path}: unknown key 'moe.expert'; did you mean 'moe.experts'?", error.Message);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
