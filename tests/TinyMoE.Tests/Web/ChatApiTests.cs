using System.Net;
using System.Text.Json;
using TinyMoE.App;
using TinyMoE.Tests.Cli;
using TinyMoE.Web;

namespace TinyMoE.Tests.Web;

/// <summary>/v1/chat/completions, field by field.</summary>
[Collection(ServedCollection.Name)]
public sealed class ChatApiTests(ServedRun served)
{
    private const string Path = "/v1/chat/completions", Hi = "\"messages\":[{\"role\":\"user\",\"content\":\"hi cat\"}]";

    [Fact]
    public async Task Answer_IsThatOfChat_AtTheSameSeed()
    {
        JsonElement answer = await served.AskAsync(Path, $"{{{Hi},\"max_tokens\":20,\"seed\":4,\"temperature\":0.8}}");

        CommandLine chat = CommandLine.Run(new StringReader("hi cat\n"),
            ["chat", "--run", served.Run, "--template", served.Template, "--tokens", "20", "--seed", "4", "--threads", "1"]);
        Assert.Equal(chat.Output.TrimEnd('\r', '\n'), ContentOf(answer)!.TrimEnd('\n'));
        Assert.Equal("assistant", answer.GetProperty("choices")[0].GetProperty("message").GetProperty("role").GetString());
        Assert.Equal("chat.completion", answer.GetProperty("object").GetString());
        Assert.Equal(11, answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32()); // "u hi cat\na "
    }

    [Fact]
    public async Task Parts_AndDeveloper_AreWhatTheTemplateIsToldOf()
    {
        string parts = await AskAsync("""
            [{"role":"developer","content":"be"},{"role":"user","content":[{"type":"text","text":"hi "},{"type":"text","text":"cat"}]}]
            """);
        string plain = await AskAsync("""[{"role":"system","content":"be"},{"role":"user","content":"hi cat"}]""");
        Assert.Equal(plain, parts);

        async Task<string> AskAsync(string messages) =>
            ContentOf(await served.AskAsync(Path, $"{{\"messages\":{messages},\"max_tokens\":9,\"seed\":1}}"))!;
    }

    [Fact]
    public async Task Stream_BeginsWithTheRole_AndIsTheAnswerInPieces()
    {
        const string Request = $"{Hi},\"max_completion_tokens\":12,\"seed\":3,\"logprobs\":true,\"top_logprobs\":2";
        JsonElement whole = (await served.AskAsync(Path, $"{{{Request}}}")).GetProperty("choices")[0];
        JsonElement[] pieces = [.. (await served.StreamAsync(Path, $"{{{Request},\"stream\":true}}"))
            .Select(each => each.GetProperty("choices")[0])];

        Assert.Equal("assistant", pieces[0].GetProperty("delta").GetProperty("role").GetString());
        Assert.Equal(whole.GetProperty("message").GetProperty("content").GetString(), string.Concat(pieces.Select(
            piece => piece.GetProperty("delta").TryGetProperty("content", out JsonElement content) ? content.GetString() : "")));
        Assert.Equal("length", pieces[^1].GetProperty("finish_reason").GetString());
        string[] tokens = [.. pieces.Where(piece => piece.GetProperty("logprobs").ValueKind == JsonValueKind.Object)
            .SelectMany(piece => piece.GetProperty("logprobs").GetProperty("content").EnumerateArray()).Select(token => token.ToString())];
        Assert.Equal(whole.GetProperty("logprobs").GetProperty("content").EnumerateArray().Select(token => token.ToString()), tokens);
        JsonElement first = whole.GetProperty("logprobs").GetProperty("content")[0];
        Assert.Equal(2, first.GetProperty("top_logprobs").GetArrayLength());
        Assert.Equal(first.GetProperty("token").GetString()![0], (char)first.GetProperty("bytes")[0].GetInt32());
        Assert.InRange(first.GetProperty("logprob").GetDouble(), -20, 0);
    }

    [Fact]
    public async Task WithoutALimit_TheAnswerHasTheRestOfTheContext()
    {
        const string NoTools = "\"tool_choice\":\"none\",\"tools\":[{\"type\":\"function\"}]";
        JsonElement answer = await served.AskAsync(Path, $"{{{Hi},\"n\":2,{NoTools}}}");
        Assert.Equal(2 * (64 - 11), answer.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal(2, answer.GetProperty("choices").GetArrayLength());
    }

    [Theory]
    [InlineData("\"x\":1", "messages")]
    [InlineData("\"messages\":[]", "messages")]
    [InlineData("\"messages\":\"hi\"", "messages")]
    [InlineData("\"messages\":[1]", "messages[0]")]
    [InlineData("\"messages\":[{\"content\":\"a\"}]", "messages[0]")]
    [InlineData("\"messages\":[{\"role\":\"user\"}]", "messages[0].content")]
    [InlineData("\"messages\":[{\"role\":\"boss\",\"content\":\"a\"}]", "messages[0].role")]
    [InlineData("\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]", "messages[0].content")]
    [InlineData("\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"audio\":{}}]", "messages[0].audio")]
    [InlineData("\"messages\":[{\"role\":\"user\",\"content\":\"%\"}]", "messages")]
    [InlineData(Hi + ",\"tools\":[{\"type\":\"function\"}]", "tools")]
    [InlineData(Hi + ",\"tool_choice\":\"required\"", "tool_choice")]
    [InlineData(Hi + ",\"functions\":[{}]", "functions")]
    [InlineData(Hi + ",\"response_format\":{\"type\":\"json_object\"}", "response_format")]
    [InlineData(Hi + ",\"modalities\":[\"audio\"]", "modalities")]
    [InlineData(Hi + ",\"top_logprobs\":2", "top_logprobs")]
    [InlineData(Hi + ",\"logprobs\":2", "logprobs")]
    [InlineData(Hi + ",\"reasoning_effort\":\"low\"", "reasoning_effort")]
    [InlineData(Hi + ",\"max_tokens\":0", "max_tokens")]
    [InlineData(Hi + ",\"echo\":true", "echo")]
    public async Task WhatCannotBeDone_IsRefusedByName(string fields, string param)
    {
        (HttpStatusCode status, JsonElement body) = await served.PostAsync(Path, $"{{{fields}}}");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal(param, body.GetProperty("error").GetProperty("param").GetString());
    }

    [Fact]
    public async Task ConversationBeyondTheContext_IsRefused()
    {
        (HttpStatusCode status, JsonElement body) = await served.PostAsync(Path,
            $"{{\"messages\":[{{\"role\":\"user\",\"content\":\"{new string('a', 64)}\"}}]}}");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("context_length_exceeded", body.GetProperty("error").GetProperty("code").GetString());
    }

    [Fact]
    public async Task TemplateThatKnowsTools_IsToldOfThem()
    {
        string template = served.Folder.Write(
            "tools.jinja", "{% for t in tools or [] %}{{ t.function.name }}{% endfor %}{% for m in messages %}{{ m.content }}{% endfor %}");
        using Serving serving = Serving.Open(new ServingRequest(served.Run)
        {
            Template = template, Device = new DeviceChoice(Threads: 1),
        });
        using WebServer server = WebServer.Start(serving, new ServerOptions { Port = 0 });
        using HttpClient client = ServedRun.ClientOf(server);
        Assert.Equal("run", serving.Name); // that of its folder

        const string Tools = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"sat\"}}],\"max_tokens\":1";
        (HttpStatusCode status, JsonElement body) = await ServedRun.PostAsync(client, Path, $"{{{Hi},{Tools}}}");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("sathi cat".Length, body.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task ModelWithoutATemplate_CannotBeTalkedWith_AndSaysSo()
    {
        using Serving serving = Serving.Open(new ServingRequest(served.Run) { Device = new DeviceChoice(Threads: 1) });
        using WebServer server = WebServer.Start(serving, new ServerOptions { Port = 0 });
        using HttpClient client = ServedRun.ClientOf(server);
        (HttpStatusCode status, JsonElement body) = await ServedRun.PostAsync(client, Path, $"{{{Hi}}}");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("no chat template", body.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    private static string? ContentOf(JsonElement answer) =>
        answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString();
}
