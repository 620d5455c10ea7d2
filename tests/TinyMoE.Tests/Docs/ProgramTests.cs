using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Docs;

/// <summary>
/// Commands of the docs that run another program than tinymoe. Examples run here, each in a process of its own; those that would take
/// minutes get a small configuration, and the one that trains is left after its first evaluation. What cannot run in a test is looked up:
/// a benchmark (it measures for minutes, beside a peer that may not be there), the options of the campaign and of fuzzing (other tests run
/// them for seconds), and a target of CMake (it builds the emulator or the PTX).
/// </summary>
public sealed partial class ProgramTests : IDisposable
{
    private const string Examples = "examples/", Training = "examples/training", Benchmarks = "tests/TinyMoE.Benchmarks";

    private static readonly string[] Searches = ["tests/TinyMoE.Campaign", "tests/TinyMoE.Fuzz"];

    private static readonly DocCommand[] Programs = [.. DocCommand.All.Where(command => !command.IsTinymoe)];

    private readonly TemporaryFolder folder = new();

    public static TheoryData<string> ExampleProjects => [.. Programs.Where(IsExample).Select(command => command.Project).Distinct()];

    public static TheoryData<string> BenchmarkWords =>
        [.. Programs.Where(command => command.Project == Benchmarks).Select(command => command.Words[0]).Distinct()];

    public static TheoryData<string> Targets =>
    [
        .. Markdown.Files.SelectMany(Markdown.Blocks).SelectMany(block => block.Lines)
            .SelectMany(line => Target().Matches(line)).Select(match => match.Groups[1].Value).Distinct(),
    ];

    [Fact]
    public void Programs_AreExamplesBenchmarksOrSearches() => Assert.All(
        Programs, command => Assert.True(command.Project == Benchmarks || IsExample(command) || IsSearch(command), command.Line));

    [Fact]
    public void Search_OfTheDocs_HasTheOption() => Assert.All(Programs.Where(IsSearch), command =>
    {
        string source = File.ReadAllText(Path.Combine(Markdown.Root, command.Project, "Program.cs"));
        Assert.All(command.Words.Where(IsOption), option => Assert.Contains($"(\"{option}\")", source, StringComparison.Ordinal));
    });

    [Theory]
    [MemberData(nameof(ExampleProjects))]
    public async Task Example_OfTheDocs_Runs(string project)
    {
        string name = Path.GetFileName(project);
        string built = Path.GetRelativePath(Path.Combine(Markdown.Root, "tests", "TinyMoE.Tests"), AppContext.BaseDirectory);
        ProcessStartInfo start = new("dotnet", [Path.Combine(Markdown.Root, project, built, $"{name}.dll"), .. Arguments(project)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder.Root,
        };
        start.Environment["TMPDIR"] = folder.Root;
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        List<string> output = [];
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            output.Add(line);
            if (project != Training || !line.Contains("validation loss", StringComparison.Ordinal))
                continue;
            process.Kill();
            await process.WaitForExitAsync();
            return;
        }

        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await error);
        Assert.NotEmpty(output);
    }

    [Theory]
    [MemberData(nameof(BenchmarkWords))]
    public void Benchmark_OfTheDocs_IsThere(string word)
    {
        string name = char.ToUpperInvariant(word[0]) + word[1..];
        string file = Path.Combine(Markdown.Root, Benchmarks, name, $"{name}Command.cs");
        Assert.True(File.Exists(file), $"the benchmarks have no command {word}");
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void CMakeTarget_OfTheDocs_IsDefined(string target) => Assert.Contains(
        Directory.EnumerateFiles(Path.Combine(Markdown.Root, "native", "cmake"), "*.cmake"),
        file => Regex.IsMatch(File.ReadAllText(file), $@"add_(?:custom_target|library|executable)\({target}[\s)]"));

    public void Dispose() => folder.Dispose();

    private static bool IsExample(DocCommand command) => command.Project.StartsWith(Examples, StringComparison.Ordinal);

    private static bool IsSearch(DocCommand command) => Searches.Contains(command.Project);

    private static bool IsOption(string word) => word.StartsWith("--", StringComparison.Ordinal);

    /// <summary>What makes an example end within seconds.</summary>
    private IEnumerable<string> Arguments(string project)
    {
        string configuration = Path.Combine(Markdown.Root, project, "config.json");
        if (!File.Exists(configuration))
            return [];
        JsonObject config = JsonNode.Parse(File.ReadAllText(configuration))!.AsObject();
        config["seeds"] = new JsonArray(1);
        if (config["common"] is JsonObject common)
        {
            (common["train.steps"], common["train.batch"], common["train.eval_windows"]) = (2, 2, 2);
            (common["model.width"], common["model.context"]) = (32, 16);
            if (common.ContainsKey("train.keep_every"))
                common["train.keep_every"] = 1;
            if (config.ContainsKey("domain_characters"))
                config["domain_characters"] = 50_000;
        }
        else
        {
            config["data"]!["examples"] = 64;
            (config["single"]!["epochs"], config["mixture"]!["epochs"]) = (2, 2);
        }

        return [folder.Write("config.json", config.ToJsonString())];
    }

    [GeneratedRegex(@"--target ([\w-]+)")]
    private static partial Regex Target();
}
