using System.Buffers.Binary;
using System.CommandLine;
using System.Globalization;
using System.Text;
using TinyMoE.Files;

namespace TinyMoE.Benchmarks;

/// <summary>
/// <c>open</c>: how long a model of OLMoE's shape (7 billion weights in bfloat16, 14 GB) takes to open: its header, and the look at every
/// value whether it is finite. The file is one hole: it takes no room on the disk, but is read from the cache like any other.
/// </summary>
internal sealed class OpenCommand
{
    private const int Width = 2048, Hidden = 1024, Vocabulary = 50304, Experts = 64;

    private readonly Option<int> layers = Commands.Whole("--layers", 16, 1, "Layers of the model; each is 0.8 GB.");
    private readonly Option<int> rounds = Commands.Whole("--rounds", 3, 1, "How often it is opened; the first may find a cold cache.");
    private readonly Option<string> folder = new("--folder")
    {
        HelpName = "FOLDER",
        Description = "Where the file is kept, and used again; a new one that is deleted afterwards if not said.",
    };

    private readonly Option<bool> json = Commands.Json();

    public static Command Create()
    {
        OpenCommand open = new();
        Command command = new("open", "Opening a large model: its header, and the look at all of its values.")
        {
            open.layers, open.rounds, open.folder, open.json,
        };
        command.SetAction(open.Run);
        return command;
    }

    private void Run(ParseResult parsed)
    {
        Report report = new(parsed.GetValue(json));
        string? kept = parsed.GetValue(folder);
        string place = kept ?? Directory.CreateTempSubdirectory("tinymoe").FullName;
        try
        {
            string path = Path.Combine(place, "model.safetensors");
            if (!File.Exists(path))
                Write(path, parsed.GetValue(layers));
            for (int round = 0; round < parsed.GetValue(rounds); round++)
            {
                SafetensorsFolder? weights = null;
                double header = Measuring.Seconds(() => weights = SafetensorsFolder.Open(place));
                bool isFinite = true;
                double values = Measuring.Seconds(
                    () => isFinite = weights!.Tensors.Values.All(entry => weights.AreFinite(entry, 0, entry.Count)));
                long bytes = weights!.Bytes;
                int count = weights.Tensors.Count;
                weights.Dispose();
                report.Row(
                    $"{1e-9 * bytes:F1} GB in {count} tensors: header {header:F2} s, all values {values:F2} s, "
                        + $"{1e-9 * bytes / values:F1} GB/s{(isFinite ? "" : ", not all finite")}",
                    new { Kind = "open", Bytes = bytes, Tensors = count, HeaderSeconds = header, ValuesSeconds = values });
            }
        }
        finally
        {
            if (kept is null)
                Directory.Delete(place, recursive: true);
        }
    }

    /// <summary>A file of zeros, its tensors in the order of their names as other programs write them.</summary>
    private static void Write(string path, int layers)
    {
        SortedDictionary<string, int[]> tensors = new(StringComparer.Ordinal)
        {
            ["model.embed_tokens.weight"] = [Vocabulary, Width], ["lm_head.weight"] = [Vocabulary, Width], ["model.norm.weight"] = [Width],
        };
        for (int i = 0; i < layers; i++)
        {
            string layer = string.Create(CultureInfo.InvariantCulture, $"model.layers.{i}");
            foreach (string projection in (string[])["q_proj", "k_proj", "v_proj", "o_proj"])
                tensors.Add($"{layer}.self_attn.{projection}.weight", [Width, Width]);
            foreach (string norm in (string[])["self_attn.q_norm", "self_attn.k_norm", "input_layernorm", "post_attention_layernorm"])
                tensors.Add($"{layer}.{norm}.weight", [Width]);
            tensors.Add($"{layer}.mlp.gate.weight", [Experts, Width]);
            for (int e = 0; e < Experts; e++)
            {
                string expert = string.Create(CultureInfo.InvariantCulture, $"{layer}.mlp.experts.{e}");
                tensors.Add($"{expert}.gate_proj.weight", [Hidden, Width]);
                tensors.Add($"{expert}.up_proj.weight", [Hidden, Width]);
                tensors.Add($"{expert}.down_proj.weight", [Width, Hidden]);
            }
        }

        StringBuilder header = new("{\"__metadata__\":{\"format\":\"pt\"}");
        long end = 0;
        foreach ((string name, int[] shape) in tensors)
        {
            long begin = end;
            end += 2 * shape.Aggregate(1L, (product, size) => product * size);
            header.Append(CultureInfo.InvariantCulture,
                $",\"{name}\":{{\"dtype\":\"BF16\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{begin},{end}]}}");
        }

        header.Append('}');
        byte[] text = Encoding.UTF8.GetBytes(header.ToString().PadRight((header.Length + 7) / 8 * 8)), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        using FileStream file = File.Create(path);
        file.Write(length);
        file.Write(text);
        file.SetLength(file.Position + end);
    }
}
