namespace TinyMoE.Tests.Docs;

/// <summary>Every relative link of a Markdown file leads to a file or folder that is there, and to a heading of it.</summary>
public sealed class LinkTests
{
    public static TheoryData<string> Files => [.. Markdown.Files];

    [Theory]
    [MemberData(nameof(Files))]
    public void Link_Relative_Resolves(string file)
    {
        List<string> broken = [];
        foreach (string link in Markdown.Links(file).Where(link => !link.Contains("://", StringComparison.Ordinal)))
        {
            string[] parts = link.Split('#', 2);
            string beside = Path.Combine(Markdown.Root, Path.GetDirectoryName(file)!, parts[0]);
            string target = parts[0].Length == 0 ? file : Path.GetRelativePath(Markdown.Root, beside).Replace('\\', '/');
            string path = Path.Combine(Markdown.Root, target);
            bool found = !target.StartsWith("..", StringComparison.Ordinal) && (File.Exists(path) || Directory.Exists(path));
            if (!found || (parts.Length > 1 && !Markdown.Anchors(target).Contains(parts[1])))
                broken.Add(link);
        }

        Assert.Empty(broken);
    }

    [Fact]
    public void Docs_EveryPage_IsLinkedFromAnother()
    {
        HashSet<string> linked = [];
        foreach (string file in Markdown.Files)
        {
            foreach (string link in Markdown.Links(file).Where(link => !link.Contains("://", StringComparison.Ordinal)))
                linked.Add(Path.GetFullPath(Path.Combine(Markdown.Root, Path.GetDirectoryName(file)!, link.Split('#')[0])));
        }

        Assert.All(
            Markdown.Files.Where(file => file.StartsWith("docs/", StringComparison.Ordinal)),
            file => Assert.Contains(Path.Combine(Markdown.Root, file), linked));
    }
}
