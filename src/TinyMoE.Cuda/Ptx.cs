using System.Globalization;
using System.Text;

namespace TinyMoE.Cuda;

/// <summary>One file of native/ptx, as it is embedded in this assembly.</summary>
internal sealed record Ptx(string File, string Text)
{
    /// <summary>All files of native/ptx, by name.</summary>
    public static IReadOnlyList<Ptx> All { get; } =
    [
        .. typeof(Ptx).Assembly.GetManifestResourceNames().Where(name => name.EndsWith(".ptx", StringComparison.Ordinal)).Order(
            StringComparer.Ordinal)
            .Select(name =>
            {
                using StreamReader reader = new(typeof(Ptx).Assembly.GetManifestResourceStream(name)!, Encoding.ASCII);
                return new Ptx(name, reader.ReadToEnd());
            }),
    ];

    /// <summary>The compute capability that it is for, as 7.0: that of its <c>.target sm_70</c>. Newer cards run it, too.</summary>
    public Version Target { get; } = TargetOf(File, Text);

    /// <summary>What a card of this compute capability can run, older targets first: of two kernels of one name the last is its.</summary>
    public static IEnumerable<Ptx> For(Version computeCapability) =>
        All.Where(ptx => ptx.Target <= computeCapability).OrderBy(ptx => ptx.Target);

    /// <summary>
    /// The kernels that it declares, and the bytes of each one's parameters:
    /// <c>.entry name( .param .u64 p0, .param .align 8 .b8 p1[24] )</c> are 8 and 24.
    /// </summary>
    public IEnumerable<(string Name, int[] Parameters)> Kernels()
    {
        const string Entry = ".entry ";
        for (int at = Text.IndexOf(Entry, StringComparison.Ordinal); at >= 0; at = Text.IndexOf(Entry, at, StringComparison.Ordinal))
        {
            at += Entry.Length;
            int open = Text.IndexOf('(', at), close = Text.IndexOf(')', open);
            string parameters = Text[(open + 1)..close];
            yield return (Text[at..open].Trim(),
                [.. parameters.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(BytesOf)]);
        }
    }

    private static Version TargetOf(string file, string text)
    {
        const string Mark = "\n.target sm_";
        int at = text.IndexOf(Mark, StringComparison.Ordinal), end = at;
        if (at >= 0)
            end = text.AsSpan(at += Mark.Length).IndexOfAnyExceptInRange('0', '9') + at;
        return end > at && int.TryParse(text.AsSpan(at..end), CultureInfo.InvariantCulture, out int number) && number >= 10
            ? new Version(number / 10, number % 10)
            : throw new InvalidOperationException($"{file} does not say what it is for.");
    }

    private static int BytesOf(string parameter)
    {
        string[] words = parameter.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        string type = words.Last(word => word[0] == '.'), name = words[^1];
        int bytes = int.Parse(type.AsSpan(2), CultureInfo.InvariantCulture) / 8, bracket = name.IndexOf('[', StringComparison.Ordinal);
        return bracket < 0 ? bytes : bytes * int.Parse(name.AsSpan(bracket + 1, name.Length - bracket - 2), CultureInfo.InvariantCulture);
    }
}
