using System.CommandLine;
using System.Globalization;

namespace TinyMoE.Fuzz;

/// <summary>The command line of the fuzzing.</summary>
internal static class Program
{
    /// <summary>The kept inputs, which lie beside this program.</summary>
    public static string Corpus => Path.Combine(AppContext.BaseDirectory, "golden", "fuzz");

    public static int Main(string[] args)
    {
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        Option<double> minutes = new("--minutes") { Description = "How long, all readers together.", DefaultValueFactory = _ => 10 };
        Option<int> seed = new("--seed") { Description = "Seed of the changes.", DefaultValueFactory = _ => 1 };
        Option<int> threads = new("--threads") { Description = "Threads.", DefaultValueFactory = _ => Environment.ProcessorCount };
        Option<string[]> targets = new("--target") { Description = "Readers; all if not said.", AllowMultipleArgumentsPerToken = true };
        targets.AcceptOnlyFromAmong([.. Readers.All.Select(target => target.Name)]);
        Option<string?> found = new("--found") { Description = "Folder for inputs that are dealt with wrongly." };
        Option<string?> file = new("--file") { Description = "Give a reader this input only; with --target." };
        RootCommand root = new("Gives tinymoe's readers changed files: they load what a file says, or refuse it in one line.")
        {
            minutes, seed, threads, targets, found, file,
        };
        root.SetAction(parsed =>
        {
            string[] names = parsed.GetValue(targets) ?? [];
            Target[] chosen = [.. Readers.All.Where(target => names.Length == 0 || names.Contains(target.Name))];
            string work = WorkFolder();
            try
            {
                return parsed.GetValue(file) is { } path ? Once(chosen[0], path, work) : Run(
                    chosen, parsed.GetValue(minutes), parsed.GetValue(threads), parsed.GetValue(seed), work, parsed.GetValue(found));
            }
            finally
            {
                Directory.Delete(work, recursive: true);
            }
        });
        return root.Parse(args).Invoke();
    }

    /// <summary>A new folder, in memory where the system has such.</summary>
    public static string WorkFolder()
    {
        const string InMemory = "/dev/shm";
        string parent = Directory.Exists(InMemory) ? InMemory : Path.GetTempPath();
        return Directory.CreateDirectory(Path.Combine(parent, $"tinymoe-fuzz-{Environment.ProcessId}-{Path.GetRandomFileName()}")).FullName;
    }

    private static int Once(Target target, string path, string work)
    {
        _ = target.Made(work).Count();
        string? wrong = Fuzzing.Try(target, File.ReadAllBytes(path), work, out string end);
        Console.WriteLine(wrong ?? $"as it should be: {end}");
        return wrong is null ? 0 : 1;
    }

    private static int Run(Target[] targets, double minutes, int threads, int seed, string work, string? found)
    {
        Fuzzing fuzzing = new(Corpus, work);
        List<TargetResult> results = [];
        double shares = targets.Sum(target => target.Share);
        Console.WriteLine("reader           inputs   per second     loaded    ends   faults");
        foreach (Target target in targets)
        {
            TargetResult result = fuzzing.Run(target, TimeSpan.FromMinutes(minutes * target.Share / shares), threads, seed);
            results.Add(result);
            double rate = result.Inputs / result.Seconds * threads;
            Console.WriteLine(
                $"{result.Target,-13}{result.Inputs,10}{rate,13:F0}{result.Loaded,11}{result.Kinds,8}{result.Faults.Count,9}");
        }

        Console.WriteLine($"all          {results.Sum(result => result.Inputs),10}");
        foreach ((int index, Fault fault) in results.SelectMany(result => result.Faults).Index())
            Tell(fault, index, found);
        return results.Any(result => result.Faults.Count > 0) ? 1 : 0;
    }

    private static void Tell(Fault fault, int index, string? found)
    {
        string text = string.Concat(fault.What.Select(c => char.IsControl(c) ? '?' : c));
        Console.WriteLine($"{fault.Target}: {(text.Length > 400 ? text[..400] : text)}");
        if (found is null)
            return;
        Directory.CreateDirectory(found);
        string path = Path.Combine(found, string.Create(CultureInfo.InvariantCulture, $"{fault.Target}-{index}"));
        File.WriteAllBytes(path, fault.Input);
        Console.WriteLine($"      again: --target {fault.Target} --file {path}");
    }
}
