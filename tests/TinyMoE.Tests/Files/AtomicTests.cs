using TinyMoE.Files;

namespace TinyMoE.Tests.Files;

public sealed class AtomicTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Place => folder["run"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void File_WrittenTwice_HoldsTheSecondAndLeavesNothingBeside()
    {
        string path = folder["new/place/a.txt"];
        AtomicFile.WriteText(path, "one");
        AtomicFile.WriteText(path, "twö");

        Assert.Equal("twö", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder["new/place"]));
    }

    [Fact]
    public void File_WriterFails_KeepsTheOld()
    {
        string path = folder.Write("a.txt", "old");

        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.WriteByte(1);
            throw new InvalidOperationException();
        }));

        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(folder.Root));
    }

    [Fact]
    public void File_BelowARegularFile_IsAClearError()
    {
        string path = Path.Combine(folder.Write("file", "text"), "a.txt");
        Assert.Contains($"Cannot write the file {path}", OneLine.Of(() => AtomicFile.WriteText(path, "x")));
    }

    [Fact]
    public void File_WhereLinksLie_IsNeverWrittenThroughThem()
    {
        string victim = folder.Write("victim", "mine"), path = folder["a.txt"];
        File.CreateSymbolicLink(path + ".tmp", victim);
        File.CreateSymbolicLink(path, victim);

        AtomicFile.WriteText(path, "new");

        Assert.Equal(("new", "mine"), (File.ReadAllText(path), File.ReadAllText(victim)));
        Assert.Null(new FileInfo(path).LinkTarget);
    }

    [Fact]
    public void File_OfWhichACrashLeftAPart_IsCleanedUp_AndNothingElse()
    {
        string part = folder.Write(".a.txt.0123456789abcdef.tmp", "half"), mine = folder.Write(".a.txt.mine.tmp", "mine");
        AtomicFile.RemoveUnfinished(folder["a.txt"]);
        Assert.Equal((false, true), (File.Exists(part), File.Exists(mine)));
    }

    [Fact]
    public void Folder_WithAFileOfSomebodyElse_KeepsIt()
    {
        Save("first", "a.txt");
        folder.Write("run/notes.md", "mine");
        folder.Write("run/photos/b.jpg", "mine");

        AtomicFolder.Replace(Place, place => File.WriteAllText(Path.Combine(place, "a.txt"), "second"), IsOurs);

        Assert.Equal("second", File.ReadAllText(folder["run/a.txt"]));
        Assert.Equal(("mine", "mine"), (File.ReadAllText(folder["run/notes.md"]), File.ReadAllText(folder["run/photos/b.jpg"])));
        Assert.Equal([Place], Directory.GetFileSystemEntries(folder.Root));

        AtomicFolder.Remove(Place, IsOurs);
        Assert.Equal(["run/notes.md", "run/photos/b.jpg"], Names());

        static bool IsOurs(string entry) => Path.GetFileName(entry) == "a.txt";
    }

    [Fact]
    public void Folder_CrashBeforeTheOldIsDeleted_KeepsAFileOfSomebodyElse()
    {
        Save("new", "a.txt");
        folder.Write(".run.old/a.txt", "old");
        folder.Write(".run.old/notes.md", "mine");

        AtomicFolder.Replace(
            Place, place => File.WriteAllText(Path.Combine(place, "a.txt"), "next"), entry => Path.GetFileName(entry) == "a.txt");

        Assert.Equal(("next", "mine"), (File.ReadAllText(folder["run/a.txt"]), File.ReadAllText(folder["run/notes.md"])));
        Assert.Equal([Place], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void Folder_WhereALinkLies_IsNeverFilledThroughIt()
    {
        folder.Write("victim/a.txt", "mine");
        Directory.CreateSymbolicLink(folder[".run.new"], folder["victim"]);

        Save("new", "a.txt");

        Assert.Equal(("new", "mine"), (File.ReadAllText(folder["run/a.txt"]), File.ReadAllText(folder["victim/a.txt"])));
    }

    [Fact]
    public void Find_InTheMiddleOfASwap_IsTheWholeFolder_AndChangesNothing()
    {
        Assert.Equal(Place, AtomicFolder.Find(Place));
        folder.Write(".run.new/a.txt", "new");
        Assert.Equal(Place, AtomicFolder.Find(Place));
        folder.Write(".run.old/a.txt", "old");
        Assert.Equal(folder[".run.new"], AtomicFolder.Find(Place));
        Directory.Delete(folder[".run.new"], recursive: true);
        Assert.Equal(folder[".run.old"], AtomicFolder.Find(Place));
        Save("next", "a.txt");
        Assert.Equal(Place, AtomicFolder.Find(Place));
    }

    [Fact]
    public void Folder_ReplacedTwice_HoldsOnlyTheSecond()
    {
        Save("first", "a.txt", "sub/b.txt");
        Save("second", "c.txt");

        AssertState("second", "c.txt");
    }

    [Fact]
    public void Folder_FillFails_KeepsTheOldAndRemovesTheTemporary()
    {
        Save("old", "a.txt");

        Assert.Throws<InvalidOperationException>(() => AtomicFolder.Replace(Place, temporary =>
        {
            File.WriteAllText(Path.Combine(temporary, "a.txt"), "half");
            throw new InvalidOperationException();
        }));

        AssertState("old", "a.txt");
    }

    [Fact]
    public void Folder_FirstFillFails_LeavesNothing()
    {
        Assert.Throws<InvalidOperationException>(() => AtomicFolder.Replace(Place, _ => throw new InvalidOperationException()));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void Folder_DiskFull_SaysSoAndKeepsTheOld()
    {
        if (!File.Exists("/dev/full"))
            return; // only Linux has a device that is always full
        Save("old", "a.txt");

        string message = OneLine.Of(() => AtomicFolder.Replace(Place, _ =>
        {
            using FileStream full = new("/dev/full", FileMode.Open, FileAccess.Write);
            full.Write(new byte[100]);
        }));

        Assert.Equal($"Cannot write the folder {Place}: the disk is full. Choose another place; what was there before is kept.", message);
        AssertState("old", "a.txt");
    }

    [Fact]
    public void Folder_PlaceIsARegularFileOrBelowOne_IsAClearErrorAndKeepsTheFile()
    {
        string file = folder.Write("file", "text");

        Assert.Contains(file, OneLine.Of(() => AtomicFolder.Replace(file, _ => { })));
        Assert.Contains(file, OneLine.Of(() => AtomicFolder.Replace(Path.Combine(file, "run"), _ => { })));

        Assert.Equal("text", File.ReadAllText(file));
        Assert.Equal([file], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void Recover_CrashWhileFilling_KeepsTheOldAndTheNextReplaceCleansUp()
    {
        Save("old", "a.txt");
        folder.Write(".run.new/a.txt", "half");

        AtomicFolder.Recover(Place);
        Assert.Equal("old", File.ReadAllText(folder["run/a.txt"]));
        Assert.True(Directory.Exists(folder[".run.new"])); // it may be a living writer's

        Save("next", "b.txt");
        AssertState("next", "b.txt");
    }

    [Fact]
    public void Recover_CrashWhileFillingTheFirst_FindsNothing()
    {
        folder.Write(".run.new/a.txt", "half");

        AtomicFolder.Recover(Place);

        Assert.False(Directory.Exists(Place));
    }

    [Fact]
    public void Recover_CrashBetweenTheRenames_FinishesTheSwap()
    {
        folder.Write(".run.old/a.txt", "old");
        folder.Write(".run.new/b.txt", "new");

        AtomicFolder.Recover(Place);
        Assert.Equal("new", File.ReadAllText(folder["run/b.txt"]));
        Assert.False(File.Exists(folder["run/a.txt"]));

        Save("next", "c.txt");
        AssertState("next", "c.txt");
    }

    [Fact]
    public void Recover_OnlyTheOldIsLeft_RollsBack()
    {
        folder.Write(".run.old/a.txt", "old");

        AtomicFolder.Recover(Place);

        AssertState("old", "a.txt");
    }

    [Fact]
    public void Recover_CrashBeforeTheOldIsDeleted_KeepsTheNew()
    {
        Save("new", "a.txt");
        folder.Write(".run.old/a.txt", "old");

        AtomicFolder.Recover(Place);
        Assert.Equal("new", File.ReadAllText(folder["run/a.txt"]));

        Save("next", "a.txt");
        AssertState("next", "a.txt");
    }

    [Fact]
    public void Replace_AfterACrashBetweenTheRenames_AndAFailingFill_KeepsTheNew()
    {
        folder.Write(".run.old/a.txt", "old");
        folder.Write(".run.new/b.txt", "new");

        Assert.Throws<InvalidOperationException>(() => AtomicFolder.Replace(Place, _ => throw new InvalidOperationException()));

        Assert.Equal("new", File.ReadAllText(folder["run/b.txt"]));
    }

    private void Save(string content, params string[] names) => AtomicFolder.Replace(Place + Path.DirectorySeparatorChar, temporary =>
    {
        foreach (string name in names)
        {
            string path = Path.Combine(temporary, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, content);
        }
    });

    private IEnumerable<string> Names() =>
        Directory.GetFiles(folder.Root, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder.Root, file)).Order();

    private void AssertState(string content, params string[] names)
    {
        Assert.Equal([Place], Directory.GetFileSystemEntries(folder.Root));
        Assert.Equal(names, Directory.GetFiles(Place, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Place, file)));
        Assert.All(names, name => Assert.Equal(content, File.ReadAllText(Path.Combine(Place, name))));
    }
}
