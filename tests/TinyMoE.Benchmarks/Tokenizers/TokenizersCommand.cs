using System.CommandLine;
using System.Diagnostics;
using System.Text;
using Microsoft.ML.Tokenizers;
using TinyMoE.Tests.Tokenizers;

namespace TinyMoE.Benchmarks;

/// <summary>
/// <c>tokenizers</c>: encoding the same text with the same vocabulary by TinyMoE, by Microsoft.ML.Tokenizers and by Hugging Face's library
/// in Rust, on one thread, in turns; the ids are compared.
/// </summary>
internal static class TokenizersCommand
{
    private const int Turns = 5, PartLength = 100_000; // parts below the size from which TinyMoE takes several threads

    public static Command Create()
    {
        Option<FileInfo> text = new("--text") { Description = "A file of UTF-8 text.", Required = true, HelpName = "FILE" };
        Option<string[]> names = Commands.SomeOf("--vocabulary", "NAME", "Vocabularies.", [.. RealVocabulary.Names]);
        Option<bool> json = Commands.Json();
        Command command = new("tokenizers",
            "Encoding text beside Microsoft.ML.Tokenizers and Hugging Face's library, one thread, in turns.")
        {
            text, names, json,
        };
        command.SetAction(parsed => Run(
            File.ReadAllText(parsed.GetValue(text)!.FullName), parsed.GetValue(names)!, new Report(parsed.GetValue(json))));
        return command;
    }

    private static void Run(string text, string[] names, Report report)
    {
        string[] parts = [.. Parts(text)];
        double megabytes = Encoding.UTF8.GetByteCount(text) / 1e6;
        string folder = Directory.CreateTempSubdirectory("tinymoe-tokenizers").FullName;
        try
        {
            report.Note($"{megabytes:F1} MB, MB per second on one thread (medians of {Turns} turns)");
            report.Note("vocabulary   TinyMoE  Microsoft  Hugging Face");
            foreach (string name in names)
                Compare(name, parts, megabytes, folder, report);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Compare(string name, string[] parts, double megabytes, string folder, Report report)
    {
        TinyMoE.Tokenizers.Tokenizer ours = RealVocabulary.Open(name, folder);
        string path = Path.Combine(folder, "tokenizer.json");
        ours.Save(path);
        TiktokenTokenizer microsoft = name == "gpt2" ? TiktokenTokenizer.CreateForModel("gpt2")
            : TiktokenTokenizer.CreateForEncoding(name + "_base");
        using global::Tokenizers.DotNet.Tokenizer? rust = OpenRust(path);
        (List<double> our, List<double> their, List<double> rusty) = ([], [], []);
        for (int turn = 0; turn < Turns; turn++)
        {
            our.Add(Measure(parts, part => ours.Encode(part), out long sum));
            their.Add(Measure(parts, part => [.. microsoft.EncodeToIds(part)], out long theirSum));
            long rustSum = sum;
            if (rust != null && turn == 0)
                rusty.Add(Measure(parts, part => [.. rust.Encode(part).Select(id => (int)id)], out rustSum));
            if (sum != theirSum || sum != rustSum)
                throw new TinyMoEException($"The ids of {name} are not the same.");
        }

        double? rustRate = rusty.Count > 0 ? megabytes / Measuring.Median(rusty) : null;
        (double ourRate, double theirRate) = (megabytes / Measuring.Median(our), megabytes / Measuring.Median(their));
        report.Row(
            $"{name,-12}{Report.Cell(ourRate, 8, 1)}{Report.Cell(theirRate, 11, 1)}{Report.Cell(rustRate, 14, 1)}",
            new { Vocabulary = name, Tinymoe = ourRate, Microsoft = theirRate, HuggingFace = rustRate });
    }

    private static double Measure(string[] parts, Func<string, int[]> encode, out long sum)
    {
        sum = 0;
        Stopwatch watch = Stopwatch.StartNew();
        foreach (string part in parts)
        {
            foreach (int id in encode(part))
                sum = unchecked((sum * 31) + id);
        }

        return watch.Elapsed.TotalSeconds;
    }

    private static global::Tokenizers.DotNet.Tokenizer? OpenRust(string path)
    {
        try
        {
            return new global::Tokenizers.DotNet.Tokenizer(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            return null;
        }
    }

    // Whole lines.
    private static IEnumerable<string> Parts(string text)
    {
        for (int start = 0; start < text.Length;)
        {
            int end = start + PartLength >= text.Length ? -1 : text.IndexOf('\n', start + PartLength);
            end = end < 0 ? text.Length : end + 1;
            yield return text[start..end];
            start = end;
        }
    }
}
