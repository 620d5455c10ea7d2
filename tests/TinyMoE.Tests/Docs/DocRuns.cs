using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Docs;

/// <summary>
/// The files and runs that commands of the docs speak of, small, in a temporary folder; and the commands made to fit them: a training takes
/// two steps of a tiny model, with the command's own settings on top, and what is in a run's folder was trained once.
/// </summary>
public sealed class DocRuns : IDisposable
{
    /// <summary>Sizes that train in a moment; what a command sets itself comes after and wins.</summary>
    private static readonly string[] Tiny =
    [
        "--set", "model.width=32", "model.layers=2", "model.context=16", "moe.hidden=16",
        "train.batch=2", "train.eval_windows=2", "train.warmup=1",
    ];

    /// <summary>All that can be typed, so that any prompt is in the vocabulary.</summary>
    private static readonly string Printable = string.Concat(Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (char)c)) + "\n";

    /// <summary>The folder of a model of others that commands speak of.</summary>
    private const string Hub = "OLMoE-1B-7B";

    private readonly TemporaryFolder folder = new();
    private readonly HashSet<string> trained = [];
    private int outs;

    public DocRuns()
    {
        string text = string.Concat(Enumerable.Repeat(Printable + "Returns the value of the thing.\n", 20));
        string[] texts =
        [
            "poems.txt", "new.txt", "books/one.txt", "books/old/two.txt", "poems/first.txt", "poems/second.txt", "logs.bin", "page.txt",
        ];
        foreach (string file in texts)
            folder.Write(file, text);
        IEnumerable<string> records = Enumerable.Range(0, 60).Select(i => $$"""{"text": "the cat sat on the mat", "label": "{{i % 3}}"}""");
        folder.Write("chats.jsonl", string.Join('\n', records));
        folder.Write("chat.jinja", "{{ messages[-1].content }}>");
        folder.Write("small.json", """{"model": {"width": 64}, "moe": {"experts": 4}}""");
    }

    /// <summary>Runs a command of the docs on what is here.</summary>
    internal CommandLine Run(DocCommand command)
    {
        if (command.Words is [])
            return CommandLine.Run();
        List<string> words = [];
        string option = "";
        if (command.Words[0] is "import" or "export" && !command.Words.Contains("--help"))
            return CommandLine.Run([.. command.Words.Select((word, i) => OfExchange(command, i == 0 ? "" : command.Words[i - 1], word))]);
        if (command.Words[0] is "upcycle" && !command.Words.Contains("--help"))
            return CommandLine.Run([.. command.Words.Select(word => OfUpcycling(word, ref option))]);
        foreach (string word in command.Words)
        {
            option = word.StartsWith('-') ? word : option;
            bool isPlaced = option is "--run" or "--init" or "--data" or "--config" or "--tokenizer" or "--file" or "--template"
                or "--model";
            words.Add(isPlaced ? Placed(command, word) : word);
        }

        if (words is ["tokenizer", "train", ..] && Drop(words, "--out"))
            words.AddRange(["--out", folder[$"out-{outs++}.json"]]);
        if (words is ["report", ..] && Drop(words, "--out"))
            words.AddRange(["--out", folder[$"out-{outs++}.html"]]);
        if (words[0] is "serve" or "view" && !words.Contains("--help"))
        {
            Drop(words, "--port");
            if (words is ["view"])
                words.AddRange(["--run", Trained("mixtral-tiny")]); // where there is no ./runs
            return CommandLine.Run(new StringReader(""), [.. words, "--port", "0"]); // stops at the end of its input
        }

        if (words[0] == "chat" && !words.Contains("--help"))
            return CommandLine.Run(new StringReader("Hi\n"), [.. words, "--tokens", "3"]); // of the tiny model's context of 16
        return CommandLine.Run(words[0] == "train" && !words.Contains("--help") ? Training(words, command) : [.. words]);
    }

    public void Dispose() => folder.Dispose();

    /// <summary>A word with the path in it, if any, moved here.</summary>
    private string Placed(DocCommand command, string word)
    {
        int start = word.IndexOf('=', StringComparison.Ordinal) + 1;
        string path = word[start..], first = path.Split('/')[0];
        if (path == Hub)
            return Exported();
        if (path == "DIR" || first == "runs")
            return Trained(command.ValueOf("--label") is null ? "mixtral-tiny" : "poems");
        if (first.EndsWith(".json", StringComparison.Ordinal) && !File.Exists(folder[first]))
            return Tokenizer(first);
        bool isHere = first.Length > 0 && (File.Exists(folder[first]) || Directory.Exists(folder[first]));
        return isHere ? word[..start] + folder[path] : word;
    }

    /// <summary>A word of import or export: the model that the docs call by a name, the run that is trained once, a new folder.</summary>
    private string OfExchange(DocCommand command, string option, string word) => option switch
    {
        "--out" => folder[$"out-{outs++}"],
        "--run" or "--model" => Placed(command, word),
        _ => word,
    };

    /// <summary>A word of upcycle: any dense model is the run that is trained once.</summary>
    private string OfUpcycling(string word, ref string option)
    {
        option = word.StartsWith('-') ? word : option;
        return word == "--model" ? "--run"
            : option == word ? word
            : option is "--run" or "--model" ? Trained("dense")
            : option == "--out" ? folder[$"out-{outs++}"]
            : word;
    }

    /// <summary>A run that was exported once: the folder of a model of others.</summary>
    private string Exported()
    {
        string run = Trained("mixtral-tiny"), place = folder[Hub];
        if (!Directory.Exists(place))
        {
            CommandLine result = CommandLine.Run("export", "--run", run, "--out", place);
            Assert.Equal((0, ""), (result.ExitCode, result.Error));
        }

        return place;
    }

    /// <summary>A training of two steps, or as many as a profile needs, in a folder here, the tiny sizes below its own.</summary>
    private string[] Training(List<string> words, DocCommand command)
    {
        bool resume = words.Contains("--resume"), stops = Drop(words, "--stop-at");
        Drop(words, "--steps");
        Drop(words, "--out");
        words.AddRange(["--out", resume ? Trained($"stopped-{outs++}") : folder[$"out-{outs++}"]]);
        if (resume)
            return [.. words];
        words.AddRange(["--steps", words.Contains("--profile") ? "7" : stops ? "4" : "2"]);
        if (stops)
            words.AddRange(["--stop-at", "2"]);
        if (command.Words.Count > 1 && !words.Contains("--data"))
            words.AddRange(["--data", folder["poems.txt"]]);
        return [words[0], .. Tiny, .. words[1..]];
    }

    /// <summary>Takes an option and its value out; whether it was there.</summary>
    private static bool Drop(List<string> words, string option)
    {
        int place = words.IndexOf(option);
        if (place >= 0)
            words.RemoveRange(place, 2);
        return place >= 0;
    }

    /// <summary>The file of a tokenizer that is trained once.</summary>
    private string Tokenizer(string name)
    {
        CommandLine result = CommandLine.Run(
            "tokenizer", "train", "--data", folder["poems.txt"], "--vocabulary", "300", "--out", folder[name]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return folder[name];
    }

    /// <summary>A run that is trained once: to write and measure with, one of the labels poems and prose, one that stopped.</summary>
    private string Trained(string name)
    {
        string run = folder[$"trained/{name}"];
        if (!trained.Add(name))
            return run;
        string[] special = name switch
        {
            "poems" => ["--data", "poems=" + folder["poems"], "prose=" + folder["books"], "--set", "moe.router=task"],
            "mixtral-tiny" => ["--data", folder["poems.txt"]],
            "dense" => ["--data", folder["poems.txt"], "--set", "moe.experts=0", "model.hidden=512"],
            _ => ["--data", folder["poems.txt"], "--stop-at", "1"],
        };
        CommandLine result = CommandLine.Run(["train", "--out", run, "--steps", "2", .. Tiny, .. special]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return run;
    }
}
