using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

/// <summary>One thing of a checkpoint, opened for it alone.</summary>
internal static class Checkpoints
{
    public static RunConfig Config(string folder) => Of(folder, checkpoint => checkpoint.Config);

    public static int Step(string folder) => Of(folder, checkpoint => checkpoint.Step);

    public static Tokenizer Tokenizer(string folder) => Of(folder, checkpoint => checkpoint.LoadTokenizer());

    public static LabelSet? Labels(string folder) => Of(folder, checkpoint => checkpoint.LoadLabels());

    public static Decoder Model(string folder, Backend backend) => Of(folder, checkpoint => checkpoint.LoadModel(backend));

    /// <summary>Replaces a file's contents, and its checksum with them: as if a training had written it so.</summary>
    public static void Write(string folder, string name, byte[] contents)
    {
        File.WriteAllBytes(Path.Combine(folder, name), contents);
        Relist(folder);
    }

    /// <summary>Lists the files of a checkpoint as they are now.</summary>
    public static void Relist(string folder)
    {
        File.Delete(Path.Combine(folder, TinyMoE.Files.RunFiles.Sums));
        TinyMoE.Files.Checksums.Write(folder);
    }

    private static T Of<T>(string folder, Func<Checkpoint, T> read)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        return read(checkpoint);
    }
}
