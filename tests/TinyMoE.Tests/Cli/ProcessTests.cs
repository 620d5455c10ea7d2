using System.Diagnostics;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Cli;

/// <summary>What only the program itself can show, in a process of its own: signals, descriptors and limits of the system.</summary>
public sealed class ProcessTests : IDisposable
{
    private static readonly string Text = string.Concat(Enumerable.Range(0, 300).Select(i => $"the cat sat on mat {i % 10}.\n"));

    private const string Small = "--set model.width=16 model.layers=1 attention.heads=2 attention.kv_heads=1 model.context=8 moe.experts=4 "
        + "moe.hidden=16 train.batch=2 train.eval_every=100000 train.eval_windows=2 train.warmup=2 --threads 1";

    private readonly TemporaryFolder folder = new();

    public ProcessTests() => folder.Write("text.txt", Text);

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(">&-")]
    [InlineData(">&- <&-")]
    [InlineData("1</dev/null")]
    public void Output_ThatIsClosed_GetsNothing_AndNoFileGetsItsText(string closed)
    {
        if (!OperatingSystem.IsLinux())
            return;
        Shell train = Run($"exec {Program} train --data text.txt --out run --steps 3 {Small} {closed}");
        Assert.Equal(new Shell(1, "", "tinymoe: the output could not be written: it is closed; the run is saved in run\n"), train);
        Assert.All(File.ReadAllLines(folder["run/metrics.jsonl"]), line => Assert.StartsWith("{\"kind\":", line, StringComparison.Ordinal));
        Assert.Equal(
            new Shell(1, "", "tinymoe: the output could not be written: it is closed\n"),
            Run($"exec {Program} generate --run run --tokens 3 --threads 1 {closed}"));
    }

    [Fact]
    public void Reader_WhoIsGone_EndsGeneration_ButNotTraining()
    {
        if (!OperatingSystem.IsLinux())
            return;
        Shell train = Run($"set -o pipefail; {Program} train --data text.txt --out run --steps 3 {Small} | true");
        Assert.Equal(new Shell(0, "", ""), train);
        Assert.True(File.Exists(folder["run/last/state.json"]));
        Shell text = Run($"set -o pipefail; {Program} generate --run run --tokens 100000000 --threads 1 | head -c 10 | wc -c");
        Assert.Equal(new Shell(0, "10", ""), text with { Output = text.Output.Trim() });
    }

    [Theory]
    [InlineData(">/dev/full", 1)]
    [InlineData(">&-", 1)]
    [InlineData("| true", 0)]
    public void Doctor_OutputThatFails_EndsWithoutATrace(string output, int exitCode)
    {
        if (!OperatingSystem.IsLinux())
            return;
        Shell doctor = Run($"set -o pipefail; TINYMOE_CUDA_LIBRARY=none {Program} doctor {output}"); // a machine without a driver
        Assert.Equal((exitCode, ""), (doctor.ExitCode, doctor.Output));
        Assert.Equal(exitCode, doctor.Error.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public void Signal_InTraining_SavesAndSaysHowToGoOn(string signal, int exitCode)
    {
        if (!OperatingSystem.IsLinux())
            return;
        Shell stopped = SignalInTraining(signal, $"env --default-signal={signal}", "");
        Assert.Equal((exitCode, ""), (stopped.ExitCode, stopped.Error));
        Assert.Contains("and saved in run; go on with:", stopped.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(folder["run/last/state.json"]));
    }

    [Fact]
    public void Signal_ThatTheProgramWasStartedToIgnore_StaysIgnored()
    {
        if (!OperatingSystem.IsLinux())
            return;
        Shell stopped = SignalInTraining("HUP", "trap '' HUP;", "sleep 0.3; kill -TERM $p;"); // as nohup does
        Assert.Equal((143, ""), (stopped.ExitCode, stopped.Error));
    }

    [Fact]
    public void Limit_OnOpenFiles_IsOneLine()
    {
        if (!OperatingSystem.IsLinux())
            return;
        foreach (int limit in (int[])[36, 48])
        {
            Shell info = Run($"ulimit -n {limit}; exec {Program} train --data text.txt --out run --steps 3 {Small}");
            Assert.Equal((1, ""), (info.ExitCode, info.Output));
            Assert.StartsWith("tinymoe: too many open files", info.Error, StringComparison.Ordinal);
            Assert.Single(info.Error.TrimEnd().Split('\n'));
        }
    }

    [Fact]
    public void Threads_UnderTaskset_AreAsManyAsItGives()
    {
        if (!OperatingSystem.IsLinux())
            return;
        string train = $"{Program} train --data text.txt --out run --steps 3 {Small.Replace(" --threads 1", "", StringComparison.Ordinal)}";
        Shell given = Run(
            $"command -v taskset > /dev/null || exit 77; taskset -pc $$ | sed 's/.*: //; s/[-,].*//' > first; "
            + $"exec taskset -c $(cat first) {train}");
        if (given.ExitCode == 77)
            return; // not on this machine
        Assert.Equal((0, ""), (given.ExitCode, given.Error));
        Assert.StartsWith("cpu (1 thread, ", given.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Generate_BeginsWithoutTheSerializerOfJson_WhichCompilesForLongerThanAllElse()
    {
        if (!OperatingSystem.IsLinux())
            return;
        Assert.Equal(0, Run($"exec {Program} train --data text.txt --out run --steps 3 {Small}").ExitCode);
        string told = "DOTNET_JitStdOutFile=compiled DOTNET_JitDisasmSummary=1";
        Assert.Equal(0, Run($"{told} {Program} generate --run run --tokens 3 --threads 1").ExitCode);
        string[] compiled = File.ReadAllLines(folder["compiled"]);
        Assert.Contains(compiled, method => method.Contains("TinyMoE.Generate.Generator", StringComparison.Ordinal));
        Assert.DoesNotContain(compiled, method => method.Contains(".Serialization.Metadata.Json", StringComparison.Ordinal));
    }

    private static string Program => $"dotnet {Path.Combine(AppContext.BaseDirectory, "tinymoe.dll")}";

    /// <summary>
    /// Signals a training that has done its first step. Whoever runs the tests may ignore signals (in the background SIGINT, under nohup
    /// SIGHUP), and a shell cannot undo that: env can.
    /// </summary>
    private Shell SignalInTraining(string signal, string before, string after) => Run($"""
        : >out; {before} {Program} train --data text.txt --out run --steps 500000 {Small} >out & p=$!
        until grep -q '^step' out; do sleep 0.05; done
        kill -{signal} $p; {after} wait $p; code=$?; cat out; exit $code
        """);

    private Shell Run(string script)
    {
        ProcessStartInfo start = new("/bin/bash", ["-c", script])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder.Root,
        };
        using Process shell = Process.Start(start)!;
        Task<string> error = shell.StandardError.ReadToEndAsync();
        string output = shell.StandardOutput.ReadToEnd();
        shell.WaitForExit();
        return new Shell(shell.ExitCode, output, error.Result);
    }

    private sealed record Shell(int ExitCode, string Output, string Error);
}
