using System.Text;
using TinyMoE.App;
using TinyMoE.Backends.Cpu;
using TinyMoE.Generate;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;
using TinyMoE.Tokenizers.Chat;
using TinyMoE.Train;
using Decoder = TinyMoE.Models.Decoder;

namespace TinyMoE.Tests.Generate;

/// <summary>Conversations: what the model reads, what is kept, and what is dropped.</summary>
public sealed class ChatSessionTests : IDisposable
{
    private const string Plain = "{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}a:";

    private readonly CpuBackend backend = new(1);
    private readonly Decoder model;
    private readonly List<string> read = []; // texts that were encoded, special tokens in them or not

    public ChatSessionTests() => model = TestModels.Spread(backend, StopTests.Bytes(64));

    public void Dispose()
    {
        model.Dispose();
        backend.Dispose();
    }

    [Fact]
    public void Say_KeepsTheConversation_AndTheSystemsMessage()
    {
        ChatSession session = New(new ChatOptions { System = "S", Tokens = 4 });
        GeneratedText first = session.Say("one", _ => { });
        GeneratedText second = session.Say("two", _ => { });

        Assert.Equal(["system", "user", "assistant", "user", "assistant"], session.Messages.Select(message => message.Role));
        Assert.Equal(["S", "one", first.Text, "two", second.Text], session.Messages.Select(message => message.Content));
        Assert.Equal($"s:S;u:one;a:{first.Text};u:two;a:", read[^1]);
        Assert.Equal(0, session.Dropped);

        session.Reset();
        Assert.Equal(new ChatMessage("system", "S"), Assert.Single(session.Messages));
        Assert.Equal(first.Ids, session.Say("one", _ => { }).Ids); // the same again
    }

    [Fact]
    public void Say_WithoutRoom_DropsTheOldestPairs_NeverTheSystem()
    {
        ChatSession session = New(new ChatOptions { System = "SYS", Tokens = 4 });
        for (int i = 0; i < 12; i++)
        {
            session.Say($"message{i}", _ => { });
            Assert.InRange(Encoding.UTF8.GetByteCount(read[^1]), 1, 60); // 64, of which 4 are the answer's
            Assert.StartsWith("s:SYS;u:message", read[^1], StringComparison.Ordinal);
            Assert.EndsWith($"u:message{i};a:", read[^1], StringComparison.Ordinal);
        }

        Assert.True(session.Dropped >= 16 && session.Dropped % 2 == 0, $"{session.Dropped} dropped");
        Assert.Equal(1 + 24 - session.Dropped, session.Messages.Count);
    }

    [Fact]
    public void Say_OfAMessageThatIsTooLong_IsALine_AndLeavesTheConversation()
    {
        ChatSession session = New(new ChatOptions { Tokens = 300 });
        session.Say("one", _ => { });
        ChatMessage[] before = [.. session.Messages];

        string error = OneLine.Of(() => session.Say(new string('x', 60), _ => { }));

        Assert.Contains("has room for 48 before an answer", error); // a quarter of 64 is left to the answer
        Assert.Equal(before, session.Messages);
        Assert.InRange(session.Say("two", _ => { }).Ids.Count, 1, 64);
    }

    [Fact]
    public void Say_StopsAtTextsAndTokens()
    {
        ChatSession free = New(new ChatOptions { Tokens = 20 });
        GeneratedText all = free.Say("go", _ => { });
        string stop = all.Text.Substring(2, 2);

        GeneratedText byText = New(new ChatOptions { Tokens = 20, StopTexts = [stop] }).Say("go", _ => { });
        GeneratedText byToken = New(new ChatOptions { Tokens = 20, StopTokens = new HashSet<int> { all.Ids[0] } }).Say("go", _ => { });

        Assert.Equal((GenerationEnd.StopText, all.Text[..all.Text.IndexOf(stop, StringComparison.Ordinal)]), (byText.End, byText.Text));
        Assert.Equal((GenerationEnd.StopToken, ""), (byToken.End, byToken.Text));
    }

    [Fact]
    public void Say_OfASpecialToken_IsText_WhereTheTemplatesAreTokens()
    {
        List<(string Text, bool HasSpecials)> parts = [];
        ChatOptions options = new()
        {
            Tokens = 2,
            SpecialTexts = ["<e>", "<end>"],
            Encode = (text, hasSpecials) =>
            {
                parts.Add((text, hasSpecials));
                return [.. Encoding.UTF8.GetBytes(text).Select(value => (int)value)];
            },
        };
        ChatSession session = New(options, "<e>{{ messages[0].content | trim }}<e>{{ messages[0].content | tojson(ensure_ascii=true) }}");

        session.Say(" <end>x<e><e", _ => { });

        Assert.Equal(
            [
                ("<e>", true), ("<end>", false), ("x", true), ("<e>", false), ("<e<e>\" ", true), ("<end>", false), ("x", true),
                ("<e>", false), ("<e\"", true),
            ],
            parts);
    }

    [Fact]
    public void Say_WhereTheTemplateRefuses_IsItsMessage()
    {
        ChatSession session = New(new ChatOptions(), "{{ raise_exception('not that') }}");

        Assert.Contains("not that", OneLine.Of(() => session.Say("a", _ => { })));
        Assert.Empty(session.Messages);
        Assert.Contains("empty text", OneLine.Of(() => New(new ChatOptions(), "{# nothing #}").Say("a", _ => { })));
    }

    [Fact]
    public void Converse_TakesCommands_SkipsEmptyLines_AndSaysOnceWhatIsDropped()
    {
        ChatSession session = New(new ChatOptions { Tokens = 2 });
        Listener listener = new(["", "hello", "  ", "/reset", .. Enumerable.Repeat("a long message", 6), "/exit", "never"]);

        Chatting.Converse(session, listener);

        Assert.Equal(7, listener.Answers.Count);
        Assert.Single(listener.Notes);
        Assert.DoesNotContain(session.Messages, message => message.Content is "hello" or "never");
    }

    private ChatSession New(ChatOptions options, string template = Plain)
    {
        options = options with
        {
            Sampling = new SamplingOptions { Temperature = 0, RepetitionPenalty = 2 },
            Encode = options.Encode ?? ((text, _) =>
            {
                read.Add(text);
                return [.. Encoding.UTF8.GetBytes(text).Select(value => (int)value)];
            }),
        };
        return new ChatSession(backend, model, new ByteTokenizer(), ChatTemplate.Parse(template, "T"), options);
    }

    private sealed class Listener(IEnumerable<string> messages) : IChatListener
    {
        private readonly Queue<string> messages = new(messages);

        public List<GeneratedText> Answers { get; } = [];

        public List<string> Notes { get; } = [];

        public string? NextMessage() => messages.TryDequeue(out string? message) ? message : null;

        public void OnAnswer(GeneratedText answer) => Answers.Add(answer);

        public void OnNote(NoteReport note) => Notes.Add(note.Text);

        public void OnText(string text)
        {
        }
    }
}
