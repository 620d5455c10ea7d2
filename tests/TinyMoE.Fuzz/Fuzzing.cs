using System.Diagnostics;
using System.Text.RegularExpressions;

namespace TinyMoE.Fuzz;

/// <summary>An input that a reader deals with wrongly.</summary>
internal sealed record Fault(string Target, string What, byte[] Input);

/// <summary>How many inputs a reader was given.</summary>
/// <param name="Target">The reader.</param>
/// <param name="Inputs">All of them.</param>
/// <param name="Loaded">Those that it loads.</param>
/// <param name="Kinds">How many different ends they came to.</param>
/// <param name="Seconds">Time that it took, on all threads together.</param>
/// <param name="Faults">Inputs that it deals with wrongly, one for each way.</param>
internal sealed record TargetResult(string Target, long Inputs, long Loaded, int Kinds, double Seconds, IReadOnlyList<Fault> Faults);

/// <summary>
/// Gives readers changed inputs. One that comes to an end that no other came to (an error of another form, or loading) is changed further:
/// the forms of errors show where in a reader an input came to.
/// </summary>
internal sealed partial class Fuzzing(string corpus, string work)
{
    private const int LongestMessage = 2000, MostKept = 400, MostFaults = 20, MostEnds = 10_000;

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    /// <summary>The inputs of a reader that are kept: seeds, and those that once were dealt with wrongly.</summary>
    public IReadOnlyList<byte[]> Kept(string target)
    {
        string folder = Path.Combine(corpus, target);
        string[] files = Directory.Exists(folder) ? Directory.GetFiles(folder) : [];
        return [.. files.Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
    }

    /// <summary>Gives a reader one input; null: it deals with it as it should. <paramref name="end"/> is the form of its end.</summary>
    public static string? Try(Target target, byte[] input, string folder, out string end)
    {
        string? wrong = Read(target, input, folder, out end, out TimeSpan time);
        for (int again = 0; wrong is null && time > Longest; again++) // others may have had the processor
        {
            if (again == 3)
                return $"it takes {time.TotalSeconds:F1} s";
            wrong = Read(target, input, folder, out end, out time);
        }

        return wrong;
    }

    /// <summary>Changes inputs of a reader for so long, on so many threads, and gives it no more than so many.</summary>
    public TargetResult Run(Target target, TimeSpan time, int threads, int seed, long most = long.MaxValue)
    {
        List<byte[]> inputs = [.. Kept(target.Name)];
        Dictionary<string, int> ends = [];
        Dictionary<string, Fault> faults = [];
        Lock gate = new();
        long count = 0, loaded = 0;
        Stopwatch clock = Stopwatch.StartNew();
        Thread[] workers = [.. Enumerable.Range(0, threads).Select(slot => new Thread(() => Work(slot)))];
        Array.ForEach(workers, worker => worker.Start());
        Array.ForEach(workers, worker => worker.Join());
        return new TargetResult(target.Name, count, loaded, ends.Count, clock.Elapsed.TotalSeconds * threads, [.. faults.Values]);

        void Work(int slot)
        {
            string folder = Directory.CreateDirectory(Path.Combine(work, $"{target.Name}{slot}")).FullName;
            Random random = new((seed * 1000) + slot);
            Mutator mutator = new(random);
            lock (gate)
                inputs.AddRange(target.Made(folder));
            byte[][] mine = [.. inputs];
            int seeds = mine.Length;
            TimeSpan end = clock.Elapsed + time; // what makes the seeds may have taken long
            while (clock.Elapsed < end && count < most && faults.Count < MostFaults)
            {
                byte[] input = mutator.Mutate(mine[random.Next(random.Next(2) == 0 ? seeds : mine.Length)], mine);
                string? wrong = Try(target, input, folder, out string form);
                lock (gate)
                {
                    count++;
                    loaded += form == Loaded ? 1 : 0;
                    if (wrong is not null)
                        faults.TryAdd(Form(wrong), new Fault(target.Name, wrong, input));
                    else if (ends.Count < MostEnds && ends.TryAdd(form, 1) && inputs.Count < MostKept)
                        inputs.Add(input);
                    if (mine.Length != inputs.Count)
                        mine = [.. inputs];
                }
            }
        }
    }

    private const string Loaded = "loads";

    private static string? Read(Target target, byte[] input, string folder, out string end, out TimeSpan time)
    {
        long started = Stopwatch.GetTimestamp();
        try
        {
            string? wrong = target.Read(input, folder);
            end = Loaded;
            return wrong;
        }
        catch (TinyMoEException e)
        {
            end = Form(e.Message);
            if (e.Message.Any(c => char.IsControl(c) || c is '\u2028' or '\u2029'))
                return $"its error is not one line: {string.Concat(e.Message.Select(c => char.IsControl(c) ? $"\\u{(int)c:x4}" : $"{c}"))}";
            return e.Message.Length > LongestMessage ? $"its error has {e.Message.Length} characters: {e.Message[..80]}..." : null;
        }
        catch (Exception e)
        {
            end = e.GetType().Name;
            string? place = e.StackTrace?.Split('\n').FirstOrDefault(line => line.Contains("TinyMoE", StringComparison.Ordinal));
            return $"{e.GetType().Name}: {e.Message} {place?.Trim()}";
        }
        finally
        {
            time = Stopwatch.GetElapsedTime(started);
        }
    }

    /// <summary>A message without what an input put into it.</summary>
    private static string Form(string message)
    {
        string form = Variable().Replace(message, "_");
        return form.Length > 160 ? form[..160] : form;
    }

    [GeneratedRegex(@"'[^']*'|/\S*|[0-9.eE+-]*[0-9][0-9.eE+-]*|\([^)]*\)|(?<=tensor ).*?(?= (is|has|begins|:))")]
    private static partial Regex Variable();
}
