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

    [Theory]
    [InlineData("link")]
    [InlineData("text")]
    [InlineData("pipe")]
    public void Take_WhereSomethingElseLies_IsRefused_AndLeavesIt(string kind)
    {
        if (OperatingSystem.IsWindows() && kind == "pipe")
            return;
        string victim = folder.Write("victim", "mine");
        Directory.CreateDirectory(folder["runs/a"]);
        if (kind == "link")
            File.CreateSymbolicLink(Path, victim);
        else if (kind == "text")
            File.Copy(victim, Path);
        else
            Shell.Run(folder["runs/a"], "mkfifo run.lock");

        string error = OneLine.Of(() => FileLock.Take(Path, "runs/a"));

        Assert.Equal("runs/a holds run.lock, which no run has written; choose a new folder or an empty one.", error);
        Assert.Equal([Path], Directory.GetFileSystemEntries(folder["runs/a"]));
        Assert.Equal("mine", File.ReadAllText(kind == "text" ? Path : victim));
        Assert.Equal(kind == "link" ? victim : null, new FileInfo(Path).LinkTarget);
    }

    [Theory]
    [InlineData("")]
    [InlineData("proc")]
    public void Take_OfALockThatWasCutOff_IsNoObstacle(string begun)
    {
        folder.Write("runs/a/run.lock", begun);
        using FileLock taken = FileLock.Take(Path, "runs/a");
        Assert.StartsWith("process ", Disk.TryReadLocked(Path));
    }
}
