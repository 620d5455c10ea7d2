using System.Text;
using TinyMoE.Files;

namespace TinyMoE.Tests.Files;

public sealed class ChecksumsTests : IDisposable
{
    private const string OfAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-2, appendix B.1

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Write_ThenRead_HasEveryFile_AsSha256sumWritesIt()
    {
        folder.Write("b.txt", "abc");
        folder.Write("a.bin", new byte[3_000_000]);
        Checksums.Write(folder.Root);

        string text = File.ReadAllText(folder[RunFiles.Sums]);
        Checksums sums = Checksums.Read(Encoding.UTF8.GetBytes(text), "list");

        Assert.EndsWith($"{OfAbc}  b.txt\n", text, StringComparison.Ordinal);
        Assert.Equal(["a.bin", "b.txt"], sums.Names);
        Assert.Equal(OfAbc, sums["b.txt"]);
        Assert.Null(sums["c.txt"]);
    }

    [Theory]
    [InlineData("x")]
    [InlineData($"{OfAbc}  ")]
    [InlineData($"{OfAbc} *a")]
    [InlineData($"{OfAbc}  ../a")]
    [InlineData($"{OfAbc}  a\u001b[2J")]
    [InlineData($"{OfAbc}  SHA256SUMS")]
    [InlineData($"{OfAbc}  a\n{OfAbc}  a")]
    [InlineData($"A{OfAbc}  a")]
    public void Read_AnythingElse_IsOneLine(string text) =>
        Assert.Contains("folder/SHA256SUMS", OneLine.Of(() => Checksums.Read(Encoding.UTF8.GetBytes(text), "folder/SHA256SUMS")));
}
