using System.Diagnostics;
using TinyMoE.Files;

namespace TinyMoE.Tests.Files;

public sealed class FileLockTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Path => folder["runs/a/run.lock"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Take_WhileItIsHeld_SaysByWhom()
    {
        using FileLock held = FileLock.Take(Path, "runs/a");
        string error = OneLine.Of(() => FileLock.Take(Path, "runs/a"));
        Assert.StartsWith($"runs/a is in use by process {Environment.ProcessId} on {Environment.MachineName} since 20", error);
    }

    [Fact]
    public void Dispose_GivesItBack_AndLeavesNothing()
    {
        FileLock held = FileLock.Take(Path, "runs/a");
        held.Dispose();
        held.Dispose();
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
        FileLock.Take(Path, "runs/a").Dispose();
    }

    [Fact]
    public void Dispose_AFolderThatHoldsSomething_Stays()
    {
        using (FileLock.Take(Path, "runs/a"))
            folder.Write("runs/a/b", "text");
        Assert.Equal([folder["runs/a/b"]], Directory.GetFileSystemEntries(folder["runs/a"]));
    }

    [Fact]
    public void Take_AfterItsHolderDied_IsNoObstacle()
    {
        if (!File.Exists("/usr/bin/flock"))
            return;
        folder.Write("runs/a/run.lock", "process 1 on x since then\n");
        using Process holder = Process.Start(new ProcessStartInfo("/usr/bin/flock", ["-o", Path, "sleep", "100"]))!;
        string? refused = null;
        for (int i = 0; i < 200 && refused is null; i++)
        {
            Thread.Sleep(20);
            refused = Record.Exception(() => FileLock.Take(Path, "runs/a").Dispose())?.Message;
            folder.Write("runs/a/run.lock.kept", "the folder stays");
        }

        holder.Kill(entireProcessTree: true);
        holder.WaitForExit();

        using FileLock taken = FileLock.Take(Path, "runs/a");
        Assert.NotNull(taken);
    }

    [Fact]
    public void Take_WhereALinkLies_NeverWritesThroughIt()
    {
        string victim = folder.Write("victim", "mine");
        Directory.CreateDirectory(folder["runs/a"]);
        File.CreateSymbolicLink(Path, victim);
        using FileLock held = FileLock.Take(Path, "runs/a");
        Assert.Equal("mine", File.ReadAllText(victim));
        Assert.Null(new FileInfo(Path).LinkTarget);
    }
}
