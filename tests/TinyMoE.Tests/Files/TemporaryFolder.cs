namespace TinyMoE.Tests.Files;

/// <summary>A fresh folder that goes with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("tinymoe").FullName;

    /// <summary>The path of a name in it.</summary>
    public string this[string name] => Path.Combine(Root, name);

    /// <summary>Writes a file, with the folders on its way, and returns its path.</summary>
    public string Write(string name, byte[] content)
    {
        string path = this[name];
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>Writes a text file in UTF-8 and returns its path.</summary>
    public string Write(string name, string content) => Write(name, System.Text.Encoding.UTF8.GetBytes(content));

    public void Dispose() => Directory.Delete(Root, recursive: true);
}

/// <summary>Errors for people are one line.</summary>
internal static class OneLine
{
    /// <summary>The message of the error that <paramref name="action"/> must throw.</summary>
    public static string Of(Action action)
    {
        string message = Assert.ThrowsAny<TinyMoEException>(action).Message;
        Assert.DoesNotContain('\n', message);
        Assert.EndsWith(".", message);
        return message;
    }
}
