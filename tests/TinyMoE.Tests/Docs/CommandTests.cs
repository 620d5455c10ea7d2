using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Cuda;

namespace TinyMoE.Tests.Docs;

/// <summary>Every command of tinymoe that the docs and its own help show does what they say: it runs, and ends well.</summary>
public sealed class CommandTests(DocRuns runs) : IClassFixture<DocRuns>
{
    public static TheoryData<string> Lines => [.. DocCommands.Of(cuda: false).Select(command => command.Line)];

    [Theory]
    [MemberData(nameof(Lines))]
    public void Command_OfTheDocs_Runs(string line) => DocCommands.Check(runs, line);
}

/// <summary>Every command of tinymoe that may use a CUDA device, on the emulated one; without it their options are looked up.</summary>
[Collection(CudaCollection.Name)]
public sealed class CudaCommandTests(DocRuns runs) : IClassFixture<DocRuns>
{
    public static TheoryData<string> Lines => [.. DocCommands.Of(cuda: true).Select(command => command.Line)];

    [Theory]
    [MemberData(nameof(Lines))]
    public void Command_OfTheDocs_Runs(string line)
    {
        if (TestDevice.IsEmulated)
        {
            Emulator.Configure(line.Contains("cuda:1", StringComparison.Ordinal) ? "devices=2" : "");
            DocCommands.Check(runs, line);
            TestDevice.RequireNoFinding();
            return;
        }

        DocCommand command = DocCommands.Find(line);
        string help = CommandLine.Run(command.Words[0], "--help").Output;
        Assert.All(
            command.Words.Where(word => word.StartsWith("--", StringComparison.Ordinal)),
            option => Assert.Contains(option, help, StringComparison.Ordinal));
    }
}

/// <summary>The checks that both devices have in common.</summary>
internal static class DocCommands
{
    public static IEnumerable<DocCommand> Of(bool cuda) => DocCommand.All.Where(command => command.IsTinymoe && command.UsesCuda == cuda);

    public static DocCommand Find(string line) => DocCommand.All.Single(command => command.Line == line);

    public static void Check(DocRuns runs, string line)
    {
        CommandLine result = runs.Run(Find(line));
        Assert.DoesNotContain("tinymoe: ", result.Error, StringComparison.Ordinal);
        Assert.Equal(0, result.ExitCode);
        Assert.NotEqual("", result.Output.Trim());
    }
}
