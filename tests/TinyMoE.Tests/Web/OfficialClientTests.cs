using System.ClientModel;
using System.ClientModel.Primitives;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;
using TinyMoE.Web;

namespace TinyMoE.Tests.Web;

/// <summary>OpenAI's own client for .NET, pointed at our server. It has no method for completions; those go through its pipeline.</summary>
[Collection(ServedCollection.Name)]
public sealed class OfficialClientTests(ServedRun served)
{
    private static readonly ChatMessage[] Hi = [new SystemChatMessage("be"), new UserChatMessage("hi cat")];

    [Fact]
    public async Task Chat_AnswersWithUsageAndLogProbabilities()
    {
        ChatCompletion answer = await Chat().CompleteChatAsync(Hi, Options(), ServedRun.Stop);

        Assert.Equal(ChatMessageRole.Assistant, answer.Role);
        Assert.Equal(ChatFinishReason.Length, answer.FinishReason);
        Assert.Equal((16, 8, 24), (answer.Usage.InputTokenCount, answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount));
        Assert.Equal(answer.Content[0].Text, string.Concat(answer.ContentTokenLogProbabilities.Select(token => token.Token)));
        Assert.All(answer.ContentTokenLogProbabilities, token => Assert.Equal(2, token.TopLogProbabilities.Count));
        Assert.Equal(ServedRun.Name, answer.Model);
        ChatCompletion again = await Chat().CompleteChatAsync(Hi, Options(), ServedRun.Stop);
        Assert.Equal(answer.Content[0].Text, again.Content[0].Text);
    }

    [Fact]
    public async Task Example_OfTheDocs_Works()
    {
        (Uri address, ChatCompletionOptions options) = (served.Server.Address, Options());
        OpenAIClient openai = new(new ApiKeyCredential("any"), new OpenAIClientOptions { Endpoint = new Uri(address, "/v1") });
        ChatCompletion answer = await openai.GetChatClient("tiny").CompleteChatAsync([new UserChatMessage("hi cat")], options);
        Assert.NotEmpty(answer.Content[0].Text);
    }

    [Fact]
    public async Task Chat_Streams()
    {
        ChatCompletion whole = await Chat().CompleteChatAsync(Hi, Options(), ServedRun.Stop);
        List<string> pieces = [];
        ChatFinishReason? reason = null;
        int? tokens = null;
        await foreach (StreamingChatCompletionUpdate update in Chat().CompleteChatStreamingAsync(Hi, Options(), ServedRun.Stop))
        {
            pieces.AddRange(update.ContentUpdate.Select(part => part.Text));
            reason = update.FinishReason ?? reason;
            tokens = update.Usage?.OutputTokenCount ?? tokens;
        }

        Assert.Equal(whole.Content[0].Text, string.Concat(pieces));
        Assert.Equal((ChatFinishReason.Length, 8), (reason, tokens));
        Assert.True(pieces.Count >= 8);
    }

    [Fact]
    public async Task Errors_AreItsExceptions()
    {
        ChatCompletionOptions options = new() { FrequencyPenalty = 1 };
        ClientResultException refused = await Assert.ThrowsAsync<ClientResultException>(
            () => Chat().CompleteChatAsync(Hi, options, ServedRun.Stop));
        Assert.Equal(400, refused.Status);
        Assert.Contains("frequency_penalty", refused.Message, StringComparison.Ordinal);

        ClientResultException missing = await Assert.ThrowsAsync<ClientResultException>(
            () => Client(served.Server).GetChatClient("gpt-5").CompleteChatAsync(Hi, cancellationToken: ServedRun.Stop));
        Assert.Equal(404, missing.Status);
    }

    [Fact]
    public async Task Models_AreListedAndFound()
    {
        OpenAIModelClient models = Client(served.Server).GetOpenAIModelClient();
        OpenAIModelCollection all = await models.GetModelsAsync(ServedRun.Stop);
        Assert.Equal([ServedRun.Name], all.Select(model => model.Id));
        OpenAIModel one = await models.GetModelAsync(ServedRun.Name, ServedRun.Stop);
        Assert.Equal("tinymoe", one.OwnedBy);
        await Assert.ThrowsAsync<ClientResultException>(() => models.GetModelAsync("other/one", ServedRun.Stop));
    }

    [Fact]
    public async Task Completions_GoThroughItsPipeline()
    {
        ClientPipeline pipeline = Client(served.Server).Pipeline;
        using PipelineMessage message = pipeline.CreateMessage();
        message.Request.Method = "POST";
        message.Request.Uri = new Uri(served.Server.Address, "/v1/completions");
        message.Request.Headers.Set("Content-Type", "application/json");
        message.Request.Content = BinaryContent.Create(BinaryData.FromString("""{"prompt":"the","max_tokens":3,"temperature":0}"""));
        await pipeline.SendAsync(message);
        Assert.Equal(200, message.Response!.Status);
        Assert.Contains("text_completion", message.Response.Content.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Token_IsItsKey()
    {
        using WebServer server = WebServer.Start(served.Serving, new ServerOptions { Port = 0, Token = "a-long-secret" });
        ChatCompletion answer = await Client(server, "a-long-secret").GetChatClient(ServedRun.Name)
            .CompleteChatAsync(Hi, Options(), ServedRun.Stop);
        Assert.NotEmpty(answer.Content);
        ClientResultException refused = await Assert.ThrowsAsync<ClientResultException>(
            () => Client(server, "a-wrong-secret").GetChatClient(ServedRun.Name).CompleteChatAsync(Hi, Options(), ServedRun.Stop));
        Assert.Equal(401, refused.Status);
    }

    private ChatClient Chat() => Client(served.Server).GetChatClient(ServedRun.Name);

    private static OpenAIClient Client(WebServer server, string key = "any") => new(
        new ApiKeyCredential(key), new OpenAIClientOptions { Endpoint = new Uri(server.Address, "/v1") });

#pragma warning disable OPENAI001 // the seed is said to be for evaluation
    private static ChatCompletionOptions Options() => new()
    {
        MaxOutputTokenCount = 8, Temperature = 0.9f, TopP = 0.95f, Seed = 3, IncludeLogProbabilities = true, TopLogProbabilityCount = 2,
        StopSequences = { "never never" }, EndUserId = "me",
    };
#pragma warning restore OPENAI001
}
