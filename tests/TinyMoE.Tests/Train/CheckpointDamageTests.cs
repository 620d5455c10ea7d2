using System.Runtime.InteropServices;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Files;
using TinyMoE.Models;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

/// <summary>A file that is not the one that was written is refused by name, whatever differs and whoever reads.</summary>
public sealed class CheckpointDamageTests : IClassFixture<CheckpointDamageTests.Runs>, IDisposable
{
    private const int Places = 12;

    private readonly Runs runs;
    private readonly TemporaryFolder folder = new();
    private readonly CpuBackend backend = new(2);

    public CheckpointDamageTests(Runs runs)
    {
        this.runs = runs;
        Copy(runs.Folder["a/last"], folder["a/last"]);
        File.Copy(runs.Folder["a/metrics.jsonl"], folder["a/metrics.jsonl"]);
    }

    public static TheoryData<string> Files =>
    [
        "config.json", "labels.json", "model.safetensors", "optimizer.safetensors", "routing.safetensors", "state.json", "tokenizer.json",
    ];

    public void Dispose()
    {
        backend.Dispose();
        folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Byte_Changed_AnywhereInAFile_IsRefusedByName(string name)
    {
        byte[] good = File.ReadAllBytes(Last(name));
        Random random = new(1);
        for (int i = 0; i < Places; i++)
        {
            byte[] bad = [.. good];
            bad[i == 0 ? 0 : i == 1 ? bad.Length - 1 : random.Next(bad.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(Last(name), bad);
            Assert.Contains(name, OneLine.Of(Resume));
            Assert.Contains(CheckpointDamage.Find(folder["a/last"]), problem => problem.Contains(name, StringComparison.Ordinal));
        }

        File.WriteAllBytes(Last(name), good);
        Assert.Empty(CheckpointDamage.Find(folder["a/last"]));
        Resume();
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void File_OfAnotherRun_IsRefusedByName(string name)
    {
        File.Copy(runs.Folder[$"b/last/{name}"], Last(name), overwrite: true);
        if (CheckpointDamage.Find(folder["a/last"]) is { Count: > 0 } damage)
        {
            Assert.Contains(damage, problem => problem.Contains(name, StringComparison.Ordinal));
            Assert.Contains(name, OneLine.Of(Resume));
        }
        else
        {
            Assert.Equal(File.ReadAllBytes(runs.Folder[$"a/last/{name}"]), File.ReadAllBytes(Last(name))); // both runs have the same
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void File_CutOffOrMissing_IsRefusedByName(string name)
    {
        byte[] good = File.ReadAllBytes(Last(name));
        foreach (int length in (int[])[0, good.Length / 2, good.Length - 1])
        {
            File.WriteAllBytes(Last(name), good[..length]);
            Assert.Contains(name, OneLine.Of(Resume));
        }

        File.Delete(Last(name));
        Assert.Contains($"{name} is missing", OneLine.Of(Resume));
    }

    [Theory]
    [MemberData(nameof(Files))]
    [InlineData("SHA256SUMS")]
    public void File_ThatIsAPipe_IsRefusedByName_AndNotWaitedFor(string name)
    {
        if (OperatingSystem.IsWindows())
            return;
        File.Delete(Last(name));
        Shell.Run(folder["a/last"], $"mkfifo {name}");
        string problem = $"{name} is a pipe and no regular file";
        Assert.Contains(problem, OneLine.Of(Resume));
        Assert.Contains(problem, Assert.Single(CheckpointDamage.Find(folder["a/last"])));
    }

    [Fact]
    public void List_DamagedOrMissing_IsRefusedByName()
    {
        string list = Last(RunFiles.Sums), good = File.ReadAllText(list);
        File.WriteAllText(list, good.Replace("  model", "  modem", StringComparison.Ordinal));
        Assert.Contains("modem.safetensors is missing", OneLine.Of(Resume));
        File.WriteAllText(list, string.Concat(good.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(2).Select(line => line + "\n")));
        Assert.Contains("config.json is not in SHA256SUMS", OneLine.Of(Resume));
        File.WriteAllText(list, "");
        Assert.Contains("config.json is not in SHA256SUMS", OneLine.Of(Resume));
        File.Delete(list);
        Assert.Contains("SHA256SUMS is missing", OneLine.Of(Resume));
    }

    [Fact]
    public void File_ThatTheListDoesNotHave_IsRefusedByName()
    {
        string list = Last(RunFiles.Sums);
        File.WriteAllLines(list, File.ReadAllLines(list).Where(line => !line.EndsWith("routing.safetensors", StringComparison.Ordinal)));
        Assert.Contains("routing.safetensors is not in SHA256SUMS", OneLine.Of(Resume));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void Weight_ThatIsNotFinite_IsNeverLoaded_AndIsNamed(float value)
    {
        foreach (string name in (string[])["model.safetensors", "optimizer.safetensors"])
        {
            byte[] good = File.ReadAllBytes(Last(name)), bad = [.. good];
            MemoryMarshal.Write(bad.AsSpan(bad.Length - 4), value);
            Checkpoints.Write(folder["a/last"], name, bad);
            Assert.Contains("lm_head.weight", Assert.Single(CheckpointDamage.Find(folder["a/last"])));
            string error = OneLine.Of(Resume);
            Assert.Contains("not finite", error, StringComparison.Ordinal);
            Assert.Contains(Last(name), error, StringComparison.Ordinal);
            if (name == "model.safetensors")
                Assert.Equal(error, OneLine.Of(() => Checkpoints.Model(folder["a/last"], backend)));
            Checkpoints.Write(folder["a/last"], name, good);
        }

        Resume();
    }

    [Fact]
    public void Model_KeptInBfloat16ByAnotherProgram_IsReadWithANote_ButNotTrainedOn()
    {
        using (Decoder model = Checkpoints.Model(folder["a/last"], backend))
        using (SafetensorsReader file = SafetensorsReader.Open(Last("model.safetensors")))
            File.WriteAllBytes(folder["narrow"], Narrow(file));
        File.Move(folder["narrow"], Last("model.safetensors"), overwrite: true);

        using Checkpoint checkpoint = Checkpoint.Open(folder["a/last"]);
        using Decoder read = checkpoint.LoadModel(backend);

        Assert.Contains("model.safetensors holds other types than a training writes", Assert.Single(checkpoint.Notes));
        Assert.Contains("model.safetensors is not the file", OneLine.Of(Resume));
    }

    private string Last(string name) => folder[$"a/last/{name}"];

    /// <summary>Opens the run as one that goes on does.</summary>
    private void Resume()
    {
        using Trainer trainer = new(
            backend, Runs.Config.For(runs.Corpus), runs.Corpus, new RunFolder(folder["a"]), new RecordingListener(), resume: true);
    }

    private static byte[] Narrow(SafetensorsReader file)
    {
        long end = 0;
        List<string> entries = [];
        using MemoryStream values = new();
        foreach (SafetensorsEntry entry in file.Tensors.Values.OrderBy(entry => entry.Begin))
        {
            float[] wide = new float[entry.Count];
            file.Read(entry.Name, [.. entry.Shape], wide);
            values.Write(MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(wide, TinyMoE.Memory.Bfloat16.Narrow)));
            string shape = string.Join(',', entry.Shape);
            entries.Add($"\"{entry.Name}\":{{\"dtype\":\"BF16\",\"shape\":[{shape}],\"data_offsets\":[{end},{end += 2 * entry.Count}]}}");
        }

        byte[] header = System.Text.Encoding.UTF8.GetBytes($"{{{string.Join(',', entries)}}}");
        return [.. BitConverter.GetBytes((long)header.Length), .. header, .. values.ToArray()];
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }

    /// <summary>Two runs of other seeds, 20 steps each.</summary>
    public sealed class Runs : IDisposable
    {
        public Runs()
        {
            using CpuBackend backend = new(2);
            foreach ((string name, ulong seed) in (ReadOnlySpan<(string, ulong)>)[("a", 1), ("b", 2)])
            {
                RunConfig config = Config with { Train = Config.Train with { Seed = seed } };
                using Trainer trainer = new(
                    backend, config.For(Corpus), Corpus, new RunFolder(Folder[name]), new RecordingListener());
                trainer.Run(stopAt: 20);
            }
        }

        internal static RunConfig Config => TestModels.Tiny;

        internal TemporaryFolder Folder { get; } = new();

        internal Corpus Corpus { get; } = TestModels.Corpus();

        public void Dispose() => Folder.Dispose();
    }
}
