using Microsoft.Extensions.AI;
using TinyMoE.App;
using TinyMoE.Tests.Cli;
using ChatMessage = Microsoft.Extensions.AI.ChatMessage;
using ChatOptions = Microsoft.Extensions.AI.ChatOptions;

namespace TinyMoE.Tests.Web;

/// <summary>A model in this process as .NET's chat client.</summary>
[Collection(ServedCollection.Name)]
public sealed class ServingChatClientTests(ServedRun served)
{
    private static readonly ChatMessage[] Hi = [new(ChatRole.User, "hi cat")];

    [Fact]
    public async Task Response_IsThatOfChat_AtTheSameSeed()
    {
        using ServingChatClient client = new(served.Serving);
        ChatResponse response = await client.GetResponseAsync(
            Hi, new ChatOptions { Seed = 4, MaxOutputTokens = 20, Temperature = 0.8f }, ServedRun.Stop);

        CommandLine chat = CommandLine.Run(new StringReader("hi cat\n"),
            ["chat", "--run", served.Run, "--template", served.Template, "--tokens", "20", "--seed", "4", "--threads", "1"]);
        Assert.Equal(chat.Output.TrimEnd('\r', '\n'), response.Text.TrimEnd('\n'));
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
        Assert.Equal((11, 20, 31), (response.Usage!.InputTokenCount, response.Usage.OutputTokenCount, response.Usage.TotalTokenCount));
        Assert.Equal(ServedRun.Name, response.ModelId);
        Assert.Equal(ChatRole.Assistant, Assert.Single(response.Messages).Role);
    }

    [Fact]
    public async Task Example_OfTheDocs_Works()
    {
        (string run, string template) = (served.Run, served.Template);
        using Serving serving = Serving.Open(new ServingRequest(ModelFolder.Run(run)) { Template = template });
        using IChatClient chat = new ServingChatClient(serving);
        ChatResponse response = await chat.GetResponseAsync("hi cat", new ChatOptions { Seed = 4, MaxOutputTokens = 20 });
        Assert.Equal(20, response.Usage!.OutputTokenCount);
    }

    [Fact]
    public async Task Stream_IsTheResponseInPieces_WithAllOptions()
    {
        using ServingChatClient client = new(served.Serving);
        ChatOptions options = new()
        {
            Seed = 4, MaxOutputTokens = 30, Temperature = 0.9f, TopP = 0.9f, TopK = 9, StopSequences = ["never never"], Instructions = "be",
            ModelId = ServedRun.Name, AdditionalProperties = new() { ["min_p"] = 0.01, ["repetition_penalty"] = 1.1f },
        };
        List<string> pieces = [];
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(Hi, options, ServedRun.Stop))
            pieces.Add(update.Text);
        Assert.True(pieces.Count > 5);
        Assert.Equal((await client.GetResponseAsync(Hi, options, ServedRun.Stop)).Text, string.Concat(pieces));
    }

    [Fact]
    public async Task StopSequence_EndsTheResponse()
    {
        using ServingChatClient client = new(served.Serving);
        ChatOptions options = new() { Seed = 4, MaxOutputTokens = 30 };
        string text = (await client.GetResponseAsync(Hi, options, ServedRun.Stop)).Text;
        options.StopSequences = [text.Substring(10, 3)];
        ChatResponse stopped = await client.GetResponseAsync(Hi, options, ServedRun.Stop);
        Assert.Equal(text[..text.IndexOf(options.StopSequences[0], StringComparison.Ordinal)], stopped.Text);
        Assert.Equal(ChatFinishReason.Stop, stopped.FinishReason);
    }

    public static TheoryData<string, ChatOptions> Refused => new()
    {
        { "FrequencyPenalty", new ChatOptions { FrequencyPenalty = 1 } },
        { "PresencePenalty", new ChatOptions { PresencePenalty = 1 } },
        { "ResponseFormat", new ChatOptions { ResponseFormat = ChatResponseFormat.Json } },
        { "Tools", new ChatOptions { Tools = [AIFunctionFactory.Create(() => 1, "one")] } },
        { "ToolMode", new ChatOptions { ToolMode = ChatToolMode.RequireAny } },
        { "ConversationId", new ChatOptions { ConversationId = "one" } },
        { "ModelId 'gpt-5'", new ChatOptions { ModelId = "gpt-5" } },
        { "AdditionalProperties 'other'", new ChatOptions { AdditionalProperties = new() { ["other"] = 1 } } },
        { "AdditionalProperties[\"min_p\"]", new ChatOptions { AdditionalProperties = new() { ["min_p"] = "much" } } },
        { "MaxOutputTokens", new ChatOptions { MaxOutputTokens = 0 } },
        { "temperature", new ChatOptions { Temperature = -1 } },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task WhatCannotBeDone_IsRefusedByName(string name, ChatOptions options)
    {
        using ServingChatClient client = new(served.Serving);
        TinyMoEException refused = await Assert.ThrowsAsync<TinyMoEException>(() => client.GetResponseAsync(Hi, options, ServedRun.Stop));
        Assert.Contains(name, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Image_IsRefused_AndCancelling_FreesTheSlot()
    {
        using ServingChatClient client = new(served.Serving);
        ChatMessage image = new(ChatRole.User, [new DataContent(new byte[] { 1 }, "image/png")]);
        TinyMoEException refused = await Assert.ThrowsAsync<TinyMoEException>(
            () => client.GetResponseAsync([image], cancellationToken: ServedRun.Stop));
        Assert.Contains("DataContent", refused.Message, StringComparison.Ordinal);

        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(Hi, new ChatOptions { Seed = 1 }, ServedRun.Stop))
            break; // and away
        ServedRun.WaitUntilFree(served.Serving);
    }

    [Fact]
    public void Services_AreWhatItIs()
    {
        using ServingChatClient client = new(served.Serving);
        Assert.Same(client, client.GetService(typeof(IChatClient)));
        Assert.Same(served.Serving, client.GetService(typeof(Serving)));
        Assert.Equal(ServedRun.Name, ((ChatClientMetadata)client.GetService(typeof(ChatClientMetadata))!).DefaultModelId);
        Assert.Null(client.GetService(typeof(string)));
    }
}
