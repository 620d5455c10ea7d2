using System.Diagnostics;
using System.Runtime.Intrinsics;
using System.Text.Json;
using TinyMoE.Tests.Docs;

namespace TinyMoE.Tests.Benchmarks;

/// <summary>The commands of the benchmarks, in processes of their own as a width of vectors is a matter of a process.</summary>
[Collection(AloneCollection.Name)]
public sealed class BenchmarksTests
{
    private const string Project = "tests/TinyMoE.Benchmarks";

    /// <summary>Of a step of any preset: they are called at the sizes of this one.</summary>
    private static readonly string[] TinyStep = ["kernels", "--preset", "mixtral-tiny", "--steps", "2", "--threads", "1"];

    [Theory]
    [InlineData("matmul")]
    [InlineData("kernels")]
    [InlineData("train")]
    [InlineData("generate")]
    public void Help_OfACommand_NamesTheWidths(string command)
    {
        Result result = Run([command, "--help"]);
        Assert.Equal(0, result.Code);
        Assert.Contains("--bits", result.Output, StringComparison.Ordinal);
        Assert.Contains("512, 256, 128", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("benchmarks: --bits is one of 512, 256, 128, not '64'; try 'kernels --help'", "kernels", "--bits", "64")]
    [InlineData("benchmarks: --preset has no 'benhc'; known: ", "kernels", "--preset", "benhc")]
    [InlineData("benchmarks: --steps needs a whole number, at least 1, not '0'; try 'kernels --help'", "kernels", "--steps", "0")]
    public void Command_WithAWrongWord_IsRefusedInOneLine(string message, params string[] words) => AssertRefused(2, message, Run(words));

    [Fact]
    public void Bits_ThatTheMachineHasNot_AreRefusedInOneLine() => AssertRefused(
        1, "benchmarks: this machine has no vectors of 256 bits: .NET says 128; ask for no more",
        Run(["kernels", "--bits", "256"], ("DOTNET_EnableHWIntrinsic", "0")));

    [Fact]
    public void Rival_OfDebian13WithoutAFolder_IsRefusedInOneLine() => AssertRefused(
        1, "benchmarks: the rival 2.6 needs --root DIR: a folder for the Debian 13 that has it", Run(["train", "--rivals", "2.6"]));

    [Fact]
    public void Root_ThatIsAnotherFolder_IsRefusedInOneLine()
    {
        if (!OperatingSystem.IsLinux())
            return;
        AssertRefused(1, "benchmarks: --root ", Run(["train", "--rivals", "2.6", "--root", AppContext.BaseDirectory]));
    }

    /// <summary>Each width is a process of its own, with the kernels of that width.</summary>
    [Fact]
    public void Kernels_AtAWidth_SayWhatEachOfAStepIsJudgedBy()
    {
        int bits = Vector256.IsHardwareAccelerated ? 256 : 128;
        Result result = Run([.. TinyStep, "--bits", $"{bits}", "--json"]);
        Assert.True(result.Code == 0, result.Error);
        JsonElement[] lines =
            [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];

        JsonElement machine = Assert.Single(lines, line => Kind(line) == "machine");
        Assert.Equal(bits, machine.GetProperty("bits").GetInt32());
        Assert.NotEmpty(machine.GetProperty("processor").GetString()!);
        Assert.True(Assert.Single(lines, line => Kind(line) == "kernels_machine").GetProperty("arithmetic").GetDouble() > 0);

        JsonElement[] kernels = [.. lines.Where(line => Kind(line) == "kernel")];
        string[] names = [.. kernels.Select(kernel => kernel.GetProperty("name").GetString()!.Split(' ')[0])];
        Assert.All(
            ["MatMul", "GroupedMatMul", "AttentionForward", "AttentionBackward", "RmsNormForward", "SwiGluBackward", "AdamW"],
            name => Assert.Contains(name, names));
        double[] shares =
        [
            .. kernels.Where(kernel => kernel.GetProperty("step_share").GetDouble() >= 0.001)
                .Select(kernel => kernel.GetProperty("roofline_share").GetDouble()),
        ];
        Assert.Equal(shares.Order(), shares);
        Assert.All(kernels, AssertJudgedByTheLongerTime);

        JsonElement step = Assert.Single(lines, line => Kind(line) == "kernels_step");
        double inside = kernels.Sum(kernel => kernel.GetProperty("seconds").GetDouble());
        Assert.Equal(inside, step.GetProperty("kernel_seconds").GetDouble(), tolerance: 1e-9);
        Assert.Single(lines, line => Kind(line) == "kernels_under");
    }

    private static void AssertJudgedByTheLongerTime(JsonElement kernel)
    {
        double arithmetic = kernel.GetProperty("arithmetic_seconds").GetDouble(), memory = kernel.GetProperty("memory_seconds").GetDouble();
        Assert.Equal(arithmetic >= memory ? "arithmetic" : "memory", kernel.GetProperty("limit").GetString());
        double share = Math.Max(arithmetic, memory) / kernel.GetProperty("seconds").GetDouble();
        Assert.Equal(share, kernel.GetProperty("roofline_share").GetDouble(), tolerance: 1e-9 * share);
    }

    private static string? Kind(JsonElement line) => line.GetProperty("kind").GetString();

    private static void AssertRefused(int code, string message, Result result)
    {
        Assert.Equal(code, result.Code);
        Assert.StartsWith(message, result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static Result Run(string[] words, params (string Name, string Value)[] variables)
    {
        string built = Path.GetRelativePath(Path.Combine(Markdown.Root, "tests", "TinyMoE.Tests"), AppContext.BaseDirectory);
        ProcessStartInfo start = new("dotnet", [Path.Combine(Markdown.Root, Project, built, "TinyMoE.Benchmarks.dll"), .. words])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in variables)
            start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Result(process.ExitCode, output, error.Result);
    }

    private sealed record Result(int Code, string Output, string Error);
}
