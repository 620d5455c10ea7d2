using System.Net;
using System.Text.Json;
using TinyMoE.Generate;
using TinyMoE.Tests.Cli;

namespace TinyMoE.Tests.Web;

/// <summary>/v1/completions, field by field.</summary>
[Collection(ServedCollection.Name)]
public sealed class CompletionsTests(ServedRun served)
{
    private const string Path = "/v1/completions";

    [Theory]
    [InlineData(0f, 7ul, 40)]
    [InlineData(1f, 7ul, 40)]
    [InlineData(0.7f, 8ul, 100)] // beyond the context of 64: it starts over as generate does
    public async Task Text_IsWhatGenerateWrites_AtTheSameSeed(float temperature, ulong seed, int tokens)
    {
        JsonElement answer = await served.AskAsync(Path,
            $$"""{"model":"tiny","prompt":"the cat","max_tokens":{{tokens}},"temperature":{{temperature}},"seed":{{seed}},"top_p":0.9}""");

        CommandLine alone = CommandLine.Run(
            "generate", "--run", served.Run, "--prompt", "the cat", "--tokens", $"{tokens}", "--temperature", $"{temperature}",
            "--seed", $"{seed}", "--top-p", "0.9", "--threads", "1", "--json");
        JsonElement expected = JsonDocument.Parse(alone.Output).RootElement;
        Assert.Equal(expected.GetProperty("text").GetString(), TextOf(answer));
        Assert.Equal("length", answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(tokens, answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal(7, answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task Extensions_AreThoseOfTheSampler()
    {
        const string Sampling = "\"seed\":5,\"top_k\":4,\"min_p\":0.05,\"repetition_penalty\":1.3,\"temperature\":0.9";
        JsonElement answer = await served.AskAsync(Path, $$"""{"prompt":"the cat","max_tokens":30,{{Sampling}}}""");

        CommandLine alone = CommandLine.Run(
            "generate", "--run", served.Run, "--prompt", "the cat", "--tokens", "30", "--temperature", "0.9", "--seed", "5",
            "--top-k", "4", "--min-p", "0.05", "--repetition-penalty", "1.3", "--threads", "1", "--json");
        Assert.Equal(JsonDocument.Parse(alone.Output).RootElement.GetProperty("text").GetString(), TextOf(answer));
    }

    [Fact]
    public async Task SeveralPromptsAndTexts_AreEachTheTextOfItsSeed()
    {
        JsonElement answer = await served.AskAsync(Path, """{"prompt":["the","cat"],"max_tokens":9,"n":2,"seed":3}""");

        JsonElement[] choices = [.. answer.GetProperty("choices").EnumerateArray()];
        Assert.Equal([0, 1, 2, 3], choices.Select(choice => choice.GetProperty("index").GetInt32()));
        Assert.Equal(
            [await OneAsync("the", 3), await OneAsync("the", 4), await OneAsync("cat", 3), await OneAsync("cat", 4)],
            choices.Select(choice => choice.GetProperty("text").GetString()));
        Assert.Equal(6, answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());

        async Task<string?> OneAsync(string prompt, int seed) =>
            TextOf(await served.AskAsync(Path, $$"""{"prompt":"{{prompt}}","max_tokens":9,"seed":{{seed}}}"""));
    }

    [Fact]
    public async Task Ids_AreReadAsTheyAre()
    {
        string ids = string.Join(',', served.Serving.Encode("the cat"));
        string byText = TextOf(await served.AskAsync(Path, """{"prompt":"the cat","max_tokens":9,"seed":3}"""))!;
        Assert.Equal(byText, TextOf(await served.AskAsync(Path, $$"""{"prompt":[{{ids}}],"max_tokens":9,"seed":3}""")));
        JsonElement two = await served.AskAsync(Path, $$"""{"prompt":[[{{ids}}],[{{ids}}]],"max_tokens":9,"seed":3}""");
        Assert.All(two.GetProperty("choices").EnumerateArray(), choice => Assert.Equal(byText, choice.GetProperty("text").GetString()));
    }

    [Fact]
    public async Task Stream_IsTheTextInPieces_WithUsageWhereAsked()
    {
        const string Request = "\"prompt\":\"the cat\",\"max_tokens\":12,\"seed\":3,\"n\":2";
        JsonElement whole = await served.AskAsync(Path, $"{{{Request}}}");
        List<JsonElement> events = await served.StreamAsync(
            Path, $"{{{Request},\"stream\":true,\"stream_options\":{{\"include_usage\":true}}}}");

        JsonElement[] pieces = [.. events.SkipLast(1)];
        foreach (JsonElement choice in whole.GetProperty("choices").EnumerateArray())
        {
            JsonElement[] own = [.. pieces.Select(piece => piece.GetProperty("choices")[0])
                .Where(piece => piece.GetProperty("index").GetInt32() == choice.GetProperty("index").GetInt32())];
            Assert.Equal(choice.GetProperty("text").GetString(), string.Concat(own.Select(piece => piece.GetProperty("text").GetString())));
            Assert.All(own.SkipLast(1), piece => Assert.Equal(JsonValueKind.Null, piece.GetProperty("finish_reason").ValueKind));
            Assert.Equal("length", own[^1].GetProperty("finish_reason").GetString());
        }

        Assert.All(pieces, piece => Assert.Equal(JsonValueKind.Null, piece.GetProperty("usage").ValueKind));
        Assert.Empty(events[^1].GetProperty("choices").EnumerateArray());
        Assert.Equal(whole.GetProperty("usage").ToString(), events[^1].GetProperty("usage").ToString());
        Assert.Single(events.Select(each => each.GetProperty("id").GetString()).Distinct());
        List<JsonElement> plain = await served.StreamAsync(Path, $"{{{Request},\"stream\":true}}");
        Assert.All(plain, piece => Assert.False(piece.TryGetProperty("usage", out _)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Stop_EndsTheText_WhichDoesNotHoldIt(bool streams)
    {
        const string Request = "\"prompt\":\"the cat\",\"max_tokens\":60,\"seed\":3,\"logprobs\":0";
        string text = TextOf(await served.AskAsync(Path, $"{{{Request}}}"))!;
        string stop = text.Substring(20, 3);
        string stops = JsonSerializer.Serialize((string[])["never never", stop]);
        string stopped = $"{{{Request},\"stop\":{stops},\"stream\":{(streams ? "true" : "false")}}}";
        string expected = text[..text.IndexOf(stop, StringComparison.Ordinal)];

        JsonElement[] choices = streams
            ? [.. (await served.StreamAsync(Path, stopped)).Select(each => each.GetProperty("choices")[0])]
            : [(await served.AskAsync(Path, stopped)).GetProperty("choices")[0]];
        Assert.Equal(expected, string.Concat(choices.Select(choice => choice.GetProperty("text").GetString())));
        Assert.Equal("stop", choices[^1].GetProperty("finish_reason").GetString());
        IEnumerable<JsonElement> tokens = choices.Where(choice => choice.GetProperty("logprobs").ValueKind == JsonValueKind.Object)
            .SelectMany(choice => choice.GetProperty("logprobs").GetProperty("tokens").EnumerateArray());
        Assert.Equal(expected, string.Concat(tokens.Select(token => token.GetString()))); // one character each
        ServedRun.WaitUntilFree(served.Serving);
    }

    [Fact]
    public async Task Echo_WithLogprobs_ScoresThePromptToo()
    {
        JsonElement answer = await served.AskAsync(
            Path, """{"prompt":"the cat","max_tokens":5,"seed":3,"echo":true,"logprobs":2,"temperature":0}""");
        string plain = TextOf(await served.AskAsync(Path, """{"prompt":"the cat","max_tokens":5,"temperature":0}"""))!;

        Assert.Equal("the cat" + plain, TextOf(answer));
        JsonElement told = answer.GetProperty("choices")[0].GetProperty("logprobs");
        double?[] own = Numbers(told.GetProperty("token_logprobs"));
        Assert.Equal(12, own.Length);
        Assert.Null(own[0]);
        Assert.Equal(Enumerable.Range(0, 12), told.GetProperty("text_offset").EnumerateArray().Select(offset => offset.GetInt32()));
        JsonElement[] top = [.. told.GetProperty("top_logprobs").EnumerateArray()];
        Assert.Equal(JsonValueKind.Null, top[0].ValueKind);
        Assert.All(top[1..], each => Assert.InRange(each.EnumerateObject().Count(), 2, 3));
        Assert.All(Enumerable.Range(7, 5), i => Assert.Equal(own[i], top[i].EnumerateObject().Max(each => each.Value.GetDouble())));

        CommandLine score = CommandLine.Run("score", "--run", served.Run, "--text", "the cat", "--threads", "1", "--json");
        double?[] expected = [.. JsonDocument.Parse(score.Output).RootElement.GetProperty("tokens").EnumerateArray()
            .Select(token => NumberOf(token.GetProperty("log_probability")))];
        Assert.All(Enumerable.Range(1, 6), i => Assert.Equal(expected[i]!.Value, own[i]!.Value, 1e-5));
        JsonElement alone = await served.AskAsync(Path, """{"prompt":"the cat","max_tokens":0,"echo":true,"logprobs":0}""");
        Assert.Equal("the cat", TextOf(alone));
        Assert.Equal(own[..7], Numbers(alone.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("token_logprobs")));
    }

    [Fact]
    public async Task Echo_WithoutLogprobs_BeginsWithThePrompt()
    {
        string plain = TextOf(await served.AskAsync(Path, """{"prompt":"the cat","max_tokens":5,"seed":9}"""))!;
        Assert.Equal("the cat" + plain,
            TextOf(await served.AskAsync(Path, """{"prompt":"the cat","max_tokens":5,"seed":9,"echo":true}""")));
    }

    [Fact]
    public async Task NoPrompt_LetsTheModelBegin_AndNoSeed_IsAnotherTextEachTime()
    {
        string[] texts = await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
            TextOf(await served.AskAsync(Path, """{"max_tokens":30}"""))!));
        Assert.True(texts.Distinct().Count() > 1);
    }

    [Theory]
    [InlineData("\"frequency_penalty\":0,\"presence_penalty\":0,\"logit_bias\":{},\"suffix\":null,\"best_of\":1,\"user\":\"me\"")]
    [InlineData("\"suffix\":\"\",\"metadata\":{\"a\":\"b\"},\"stop\":null,\"n\":null,\"stream\":false,\"logprobs\":null")]
    public async Task FieldsThatSayNothing_AreTaken(string fields) =>
        await served.AskAsync(Path, $"{{\"prompt\":\"the\",\"max_tokens\":1,{fields}}}");

    [Theory]
    [InlineData("\"frequency_penalty\":0.5", "frequency_penalty")]
    [InlineData("\"presence_penalty\":-1", "presence_penalty")]
    [InlineData("\"logit_bias\":{\"3\":1}", "logit_bias")]
    [InlineData("\"suffix\":\"end\"", "suffix")]
    [InlineData("\"best_of\":2", "best_of")]
    [InlineData("\"n\":0", "n")]
    [InlineData("\"n\":1.5", "n")]
    [InlineData("\"n\":\"2\"", "n")]
    [InlineData("\"max_tokens\":-1", "max_tokens")]
    [InlineData("\"max_tokens\":0", "max_tokens")]
    [InlineData("\"max_tokens\":99999999", "max_tokens")]
    [InlineData("\"temperature\":-1", "temperature")]
    [InlineData("\"temperature\":1e99", "temperature")]
    [InlineData("\"top_p\":0", "top_p")]
    [InlineData("\"top_k\":-1", "top_k")]
    [InlineData("\"min_p\":2", "min_p")]
    [InlineData("\"repetition_penalty\":0", "repetition_penalty")]
    [InlineData("\"seed\":1.5", "seed")]
    [InlineData("\"seed\":99999999999999999999999", "seed")]
    [InlineData("\"logprobs\":99", "logprobs")]
    [InlineData("\"logprobs\":true", "logprobs")]
    [InlineData("\"stop\":\"\"", "stop")]
    [InlineData("\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "stop")]
    [InlineData("\"stop\":[1]", "stop")]
    [InlineData("\"stream\":1", "stream")]
    [InlineData("\"stream_options\":{}", "stream_options")]
    [InlineData("\"stream\":true,\"stream_options\":{\"other\":true}", "stream_options")]
    [InlineData("\"echo\":\"yes\"", "echo")]
    [InlineData("\"prompt\":7", "prompt")]
    [InlineData("\"prompt\":[]", "prompt")]
    [InlineData("\"prompt\":[[]]", "prompt")]
    [InlineData("\"prompt\":[9999]", "prompt")]
    [InlineData("\"prompt\":[-1]", "prompt")]
    [InlineData("\"prompt\":[1,\"a\"]", "prompt")]
    [InlineData("\"prompt\":[{}]", "prompt")]
    [InlineData("\"prompt\":\"%\"", "prompt")]
    [InlineData("\"prompt\":\"\\ud800\"", "prompt")]
    [InlineData("\"unheard_of\":1", "unheard_of")]
    public async Task WhatCannotBeDone_IsRefusedByName(string field, string param)
    {
        string prompt = param == "prompt" ? "" : "\"prompt\":\"the\",";
        (HttpStatusCode status, JsonElement body) = await served.PostAsync(Path, $"{{{prompt}{field}}}");

        JsonElement error = body.GetProperty("error");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal(param, error.GetProperty("param").GetString());
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.DoesNotContain('\n', error.GetProperty("message").GetString()!);
    }

    [Fact]
    public async Task PromptBeyondTheContext_IsRefused_AsIsAnotherModel()
    {
        (HttpStatusCode status, JsonElement body) = await served.PostAsync(Path, $$"""{"prompt":"{{new string('a', 65)}}"}""");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("context_length_exceeded", body.GetProperty("error").GetProperty("code").GetString());
        (status, body) = await served.PostAsync(Path, """{"model":"gpt-5","prompt":"a"}""");
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Equal("model_not_found", body.GetProperty("error").GetProperty("code").GetString());
        await served.AskAsync(Path, $$"""{"prompt":"{{new string('a', 64)}}","max_tokens":2}""");
    }

    [Fact]
    public async Task SixteenAtOnce_GetEachItsOwnText()
    {
        string[] together = await Task.WhenAll(Enumerable.Range(0, 16).Select(AskAsync));
        for (int i = 0; i < 16; i++)
            Assert.Equal(await AskAsync(i), together[i]);
        Assert.True(together.Distinct().Count() > 12);

        async Task<string> AskAsync(int i) => TextOf(await served.AskAsync(Path,
            $$"""{"prompt":"{{ServedRun.Letters[..(i + 1)]}}","max_tokens":{{20 + i}},"seed":{{i}}}"""))!;
    }

    [Fact]
    public void GenerationEnds_AreAllTold() => Assert.Equal(4, Enum.GetValues<GenerationEnd>().Length); // Answer and Metrics name each

    private static string? TextOf(JsonElement answer) => answer.GetProperty("choices")[0].GetProperty("text").GetString();

    private static double? NumberOf(JsonElement value) => value.ValueKind == JsonValueKind.Null ? null : value.GetDouble();

    private static double?[] Numbers(JsonElement list) => [.. list.EnumerateArray().Select(NumberOf)];
}
