using System.Net.Sockets;
using TinyMoE.Files;

namespace TinyMoE.Tests.Files;

public sealed class FilePlaceTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Real_ThroughLinksAndSpellings_IsOnePath()
    {
        string file = FilePlace.Real(folder.Write("a/é.txt", "text"));
        Directory.CreateSymbolicLink(folder["b"], folder["a"]);
        File.CreateSymbolicLink(folder["c.txt"], folder["b/é.txt"]);

        foreach (string path in (string[])["a/é.txt", "b/é.txt", "c.txt", "a/../b/./é.txt", "a//é.txt"])
            Assert.Equal(file, FilePlace.Real(folder[path]));
        Assert.Equal(folder["missing"], FilePlace.Real(folder["missing"]));
    }

    [Fact]
    public void NotRegular_Pipe_Socket_Device_AreNamed_AndFilesAreNone()
    {
        if (!OperatingSystem.IsLinux())
            return;
        Shell.Run(folder.Root, "mkfifo pipe; ln -s pipe link");
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(folder["socket"]));

        Assert.Equal("a pipe", FilePlace.NotRegular(folder["pipe"]));
        Assert.Equal("a pipe", FilePlace.NotRegular(folder["link"]));
        Assert.Equal("a socket", FilePlace.NotRegular(folder["socket"]));
        Assert.Equal("a device", FilePlace.NotRegular("/dev/null"));
        foreach (string path in (string[])[folder.Write("file", "text"), folder.Root, folder["missing"], "/proc/self/status"])
            Assert.Null(FilePlace.NotRegular(path));
    }

    [Fact]
    public void NotUtf8_AName_IsToldWithItsBytes()
    {
        if (!OperatingSystem.IsLinux())
            return;
        folder.Write("\uFFFD.txt", "a name in UTF-8");
        Shell.Run(folder.Root, "mkdir sub; : > \"$(printf 'sub/caf\\351\\n\\303\\251.txt')\"; mkdir \"$(printf 'd\\377')\"; ls >/dev/null");
        try
        {
            Assert.Equal(folder["sub/caf\\xE9\\x0Aé.txt"], FilePlace.NotUtf8(folder["sub/caf\uFFFD\né.txt"]));
            Assert.Equal(folder["d\\xFF/x.txt"], FilePlace.NotUtf8(folder["d\uFFFD/x.txt"]));
            Assert.Null(FilePlace.NotUtf8(folder["\uFFFD.txt"]));
            Assert.Null(FilePlace.NotUtf8(folder["sub"]));
            Assert.Null(FilePlace.NotUtf8(folder["missing\uFFFD"]));
        }
        finally
        {
            Shell.Run(folder.Root, "rm -r sub d*"); // .NET cannot
        }
    }
}
