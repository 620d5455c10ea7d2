using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using TinyMoE.Files;

namespace TinyMoE.Tests.Files;

public sealed class SafetensorsFolderTests : IDisposable
{
    private const string First = "model-00001-of-00002.safetensors", Second = "model-00002-of-00002.safetensors",
        Index = "model.safetensors.index.json";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Open_TwoShards_HasTheTensorsOfBoth()
    {
        WriteTwo();
        using SafetensorsFolder weights = SafetensorsFolder.Open(folder.Root);

        Assert.Equal(["a", "b", "c"], weights.Tensors.Keys.Order());
        Assert.Equal([folder[First], folder[Second]], weights.Files);
        SafetensorsEntry b = weights.Find("b", [3]), c = weights.Find("c", [2, 2]);
        float[] values = new float[2];
        weights.Read(b, 1, values);
        Assert.Equal([5f, 6f], values);
        Assert.Equal((folder[Second], 36L), (weights.FileOf(c), weights.Bytes));
        ushort[] narrow = new ushort[4];
        weights.Read(c, 0, narrow);
        Assert.Equal((ushort[])[0x3F80, 0, 0, 0x4000], narrow);
        Assert.False(weights.AreInOneFile(b, c));
        Assert.Contains($"{folder[First]}: tensor b is (3), (4) is needed", OneLine.Of(() => weights.Find("b", [4])));
        Assert.Contains($"{folder.Root} has no tensor d", OneLine.Of(() => weights.Find("d", [4])));
    }

    [Fact]
    public unsafe void AddressOf_ATensorOfEachShard_LeadsToItsValues()
    {
        WriteTwo();
        using SafetensorsFolder weights = SafetensorsFolder.Open(folder.Root);
        Assert.Equal([4f, 5, 6], new ReadOnlySpan<float>((void*)weights.AddressOf(weights.Tensors["b"]), 3).ToArray());
        ReadOnlySpan<ushort> narrow = new((void*)weights.AddressOf(weights.Tensors["c"]), 4);
        Assert.Equal((ushort[])[0x3F80, 0, 0, 0x4000], narrow.ToArray());
    }

    [Fact]
    public void Open_OneFile_NeedsNoIndex()
    {
        folder.Write("model.safetensors", SafetensorsBytes.Of(Floats("a", 1, 2)));
        folder.Write("consolidated.safetensors", "of no interest");
        using (SafetensorsFolder weights = SafetensorsFolder.Open(folder.Root))
            Assert.Equal(["a"], weights.Tensors.Keys);
        using (SafetensorsFolder weights = SafetensorsFolder.OpenFile(folder["model.safetensors"]))
            Assert.Equal(["a"], weights.Tensors.Keys);

        WriteIndex(("a", "model.safetensors"));                  // one that says the same does no harm
        using (SafetensorsFolder weights = SafetensorsFolder.Open(folder.Root))
            Assert.Equal(["a"], weights.Tensors.Keys);
    }

    [Fact]
    public void Open_LinksToFiles_AreFollowed()
    {
        WriteTwo();
        string real = Directory.CreateDirectory(folder["blobs"]).FullName;
        foreach (string name in (string[])[First, Second, Index])
        {
            File.Move(folder[name], Path.Combine(real, name));
            File.CreateSymbolicLink(folder[name], Path.Combine("blobs", name));
        }

        using SafetensorsFolder weights = SafetensorsFolder.Open(folder.Root);
        Assert.Equal(3, weights.Tensors.Count);
    }

    [Fact]
    public void Open_NoWeights_SaysWhatIsThere()
    {
        Assert.Contains("has neither model.safetensors nor", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
        folder.Write("pytorch_model.bin", "");
        Assert.Contains("pytorch_model.bin is of a format that can run code", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
        Assert.Contains("no such folder", OneLine.Of(() => SafetensorsFolder.Open(folder["none"])));
        folder.Write("file", "");
        Assert.Contains("no such folder", OneLine.Of(() => SafetensorsFolder.Open(folder["file"])));
    }

    [Theory]
    [InlineData("", "it is empty")]
    [InlineData("{", "not valid JSON")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("\uFEFF{}", "not valid JSON")]
    [InlineData("{}", "no object weight_map")]
    [InlineData("{\"weight_map\":[]}", "no object weight_map")]
    [InlineData("{\"weight_map\":{}}", "names no tensor")]
    [InlineData("{\"weight_map\":{\"a\":7}}", "the file of tensor a is not a text")]
    [InlineData("{\"weight_map\":{\"a\":null}}", "the file of tensor a is not a text")]
    [InlineData("{\"weight_map\":{\"a\":\"\"}}", "should be the name of a file beside it")]
    [InlineData("{\"weight_map\":{\"a\":\"../x.safetensors\"}}", "not '../x.safetensors'")]
    [InlineData("{\"weight_map\":{\"a\":\"/etc/x.safetensors\"}}", "not '/etc/x.safetensors'")]
    [InlineData("{\"weight_map\":{\"a\":\"sub/x.safetensors\"}}", "not 'sub/x.safetensors'")]
    [InlineData("{\"weight_map\":{\"a\":\"sub\\\\x.safetensors\"}}", "not 'sub\\x.safetensors'")]
    [InlineData("{\"weight_map\":{\"a\":\"C:x.safetensors\"}}", "not 'C:x.safetensors'")]
    [InlineData("{\"weight_map\":{\"a\":\"..\"}}", "not '..'")]
    [InlineData("{\"weight_map\":{\"a\":\"x\\u0000.safetensors\"}}", "not 'x?.safetensors'")]
    [InlineData("{\"weight_map\":{\"a\":\"x\\n.safetensors\"}}", "not 'x?.safetensors'")]
    [InlineData("{\"weight_map\":{\"a\":\"x.bin\"}}", "x.bin, is no .safetensors")]
    [InlineData("{\"weight_map\":{\"a\\n\":7}}", "tensor a? is not a text")]
    [InlineData("{\"weight_map\":{\"a\":\"x.safetensors\",\"\\u0061\":\"x.safetensors\"}}", "names something twice")]
    [InlineData("{\"weight_map\":{\"\\ud800\":\"x.safetensors\"}}", "not valid JSON")]
    [InlineData("{\"weight_map\":{\"a\":\"x.safetensors\"}}", "x.safetensors: no such file, and model.safetensors.index.json names it")]
    public void Open_AnIndexThatLies_SaysWhat(string index, string expected)
    {
        folder.Write(Index, index);
        string said = OneLine.Of(() => SafetensorsFolder.Open(folder.Root));
        Assert.Contains(expected, said);
        Assert.Contains(folder.Root, said);
    }

    [Fact]
    public void Open_EveryTruncationOfTheIndex_IsOneClearLine()
    {
        WriteTwo();
        byte[] whole = File.ReadAllBytes(folder[Index]);
        for (int length = 0; length < whole.Length; length++)
        {
            folder.Write(Index, whole[..length]);
            Assert.Contains(Index, OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
        }
    }

    [Fact]
    public void Open_AGiantOrDeepOrBinaryIndex_IsRefused()
    {
        using (FileStream file = File.Create(folder[Index]))
            file.SetLength(100_000_001);
        Assert.Contains("has 100000001 bytes", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
        folder.Write(Index, new string('[', 1_000_000));
        Assert.Contains("not valid JSON", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
        folder.Write(Index, [0xFF, 0xFE, 0]);
        Assert.Contains("not UTF-8", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
    }

    [Fact]
    public void Open_ATensorThatItsShardLacks_IsRefused()
    {
        WriteTwo();
        WriteIndex(("a", First), ("b", First), ("c", Second), ("d", Second));
        Assert.Contains($"says that tensor d is in {Second}, which lacks it", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
    }

    [Fact]
    public void Open_ATensorOfAShardThatTheIndexLacksOrPutsElsewhere_IsRefused()
    {
        WriteTwo();
        WriteIndex(("a", First), ("c", Second));
        Assert.Contains($"{First} has the tensor b, which", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
        WriteIndex(("a", First), ("b", Second), ("c", Second));
        Assert.Contains($"says is in {Second}", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
    }

    [Fact]
    public void Open_OneTensorInTwoShards_IsRefused()
    {
        WriteTwo();
        folder.Write(Second, SafetensorsBytes.Of(Narrow("c", 0x3F80, 0, 0, 0x4000), Floats("a", 9)));
        string said = OneLine.Of(() => SafetensorsFolder.Open(folder.Root));
        Assert.Contains($"The tensor a is in {folder[First]} and in {folder[Second]}", said);
    }

    [Fact]
    public void Open_AShardThatIsCutOff_NamesIt()
    {
        WriteTwo();
        folder.Write(Second, File.ReadAllBytes(folder[Second])[..^1]);
        Assert.Contains($"{folder[Second]} is not a whole safetensors file", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
    }

    [Fact]
    public void Open_AnIndexBesideAFileThatItDoesNotName_IsRefused()
    {
        WriteTwo();
        folder.Write("model.safetensors", SafetensorsBytes.Of(Floats("a", 1)));
        Assert.Contains("which of them is the model is not clear", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
    }

    [Fact]
    public void Open_AFolderInPlaceOfAFile_IsRefused()
    {
        Directory.CreateDirectory(folder["model.safetensors"]);
        Assert.Contains("is a folder", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
        Directory.CreateDirectory(folder[Index]);
        OneLine.Of(() => SafetensorsFolder.Open(folder.Root));
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData(Index)]
    [InlineData(Second)]
    public void Open_APipe_DoesNotWaitForIt(string name)
    {
        if (OperatingSystem.IsWindows())
            return; // has no pipes among its files
        if (name != "model.safetensors")
            WriteTwo();
        File.Delete(folder[name]);
        using (Process made = Process.Start("mkfifo", folder[name]))
            made.WaitForExit();
        Assert.Contains("is a pipe", OneLine.Of(() => SafetensorsFolder.Open(folder.Root)));
    }

    private void WriteTwo()
    {
        folder.Write(First, SafetensorsBytes.Of(Floats("a", 1, 2, 3, 0), Floats("b", 4, 5, 6)));
        folder.Write(Second, SafetensorsBytes.Of(Narrow("c", 0x3F80, 0, 0, 0x4000)));
        WriteIndex(("a", First), ("b", First), ("c", Second));
    }

    private void WriteIndex(params (string Tensor, string File)[] tensors) => folder.Write(Index, JsonSerializer.SerializeToUtf8Bytes(new
    {
        metadata = new { total_size = 12 },
        weight_map = tensors.ToDictionary(tensor => tensor.Tensor, tensor => tensor.File),
    }));

    private static SafetensorsBytes.Item Floats(string name, params float[] values) =>
        new(name, "F32", [values.Length], MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    private static SafetensorsBytes.Item Narrow(string name, params ushort[] values) =>
        new(name, "BF16", [2, values.Length / 2], MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
}
