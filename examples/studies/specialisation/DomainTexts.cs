using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Configuration;
using TinyMoE.Data;

namespace TinyMoE.Examples.Specialisation;

/// <summary>
/// The domains of the study: texts that lie on every machine with this repository and the .NET SDK, about as much of each, so that no
/// domain is rare.
/// </summary>
internal static class DomainTexts
{
    private const int FewestFiles = 8; // no file is more than this part of a domain
    private const string Repository = "TinyMoE.sln", DotNet = "{dotnet}";

    /// <summary>
    /// Writes a file per domain into <paramref name="folder"/>, of <c>domain_characters</c> at most, and gives them as sources. A domain is
    /// <c>sdk-docs</c> or <c>folder/**/*.ending</c>, from the root of the repository or <c>{dotnet}</c>.
    /// </summary>
    /// <exception cref="TinyMoEException">The study names no domains, or one without text.</exception>
    public static string[] Write(string study, string folder)
    {
        try
        {
            JsonObject root = JsonNode.Parse(File.ReadAllText(study))!.AsObject();
            int most = root["domain_characters"]!.GetValue<int>();
            Directory.CreateDirectory(folder);
            return [.. root["domains"]!.AsObject().Select(
                (domain, i) => Write(Path.Combine(folder, $"{i}.txt"), domain.Key, domain.Value!.GetValue<string>(), most))];
        }
        catch (Exception e) when (e is JsonException or NullReferenceException or InvalidOperationException or IOException)
        {
            throw new TinyMoEException(
                $"{study} is not this study: it needs domains and domain_characters, as examples/studies/specialisation/config.json has "
                + $"them ({e.Message})", e);
        }
    }

    private static string Write(string path, string name, string source, int most)
    {
        File.WriteAllText(path, source == DataConfig.SdkDocs ? Documentation(most) : Files(name, source, most));
        return $"{name}={path}";
    }

    /// <summary>The begin of the built-in text, whose types come in an order that says nothing.</summary>
    private static string Documentation(int most)
    {
        Corpus corpus = Corpus.Load(new DataConfig()); // characters are its tokens
        return corpus.Tokenizer.Decode(corpus.Train.Slice(0, Math.Min(most, corpus.Train.Length)).ToArray());
    }

    private static string Files(string name, string source, int most)
    {
        string[] parts = source.Split("/**/");
        string folder = parts[0].StartsWith(DotNet, StringComparison.Ordinal)
            ? Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..") + parts[0][DotNet.Length..])
            : Path.Combine(Root(), parts[0]);
        if (parts.Length != 2 || !Directory.Exists(folder))
            throw new TinyMoEException($"The domain {name} needs files of {source}, and {folder} is no folder; name another text for it.");
        string[] files = [.. Directory.EnumerateFiles(folder, parts[1], SearchOption.AllDirectories)
            .Where(file => !IsBuilt(Path.GetRelativePath(folder, file))).Order(StringComparer.Ordinal)];
        new Random(Seed: 1).Shuffle(files); // what is held out, the end, is of the same kind as the rest
        StringBuilder text = new();
        foreach (string file in files.TakeWhile(_ => text.Length < most))
        {
            string whole = File.ReadAllText(file).ReplaceLineEndings("\n");
            int room = Math.Min(most / FewestFiles, most - text.Length), end = Math.Min(room, whole.Length);
            text.Append(whole.AsSpan(0, end < whole.Length ? whole.LastIndexOf('\n', end - 1) + 1 : end));
        }

        return text.Length > 0 ? text.ToString() : throw new TinyMoEException($"{source} has no text for the domain {name}.");
    }

    private static bool IsBuilt(string path) => path.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj");

    private static string Root()
    {
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, Repository)))
                return folder;
        }

        throw new TinyMoEException($"No folder above {AppContext.BaseDirectory} has {Repository}: build the study where it lies.");
    }
}
