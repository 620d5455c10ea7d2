namespace TinyMoE.Tests.PublicApi;

/// <summary>What two texts of a public API do not share, each line with the type it belongs to.</summary>
internal static class ApiDifference
{
    /// <summary>Lines that went as "- type: member", then lines that came as "+ type: member"; empty where there are none.</summary>
    public static string Of(string before, string after)
    {
        string[] old = [.. Members(before)], now = [.. Members(after)];
        return string.Join('\n', [.. Without(old, now).Select(line => "- " + line), .. Without(now, old).Select(line => "+ " + line)]);
    }

    /// <summary>The lines of <paramref name="all"/> that are not in <paramref name="others"/>, as often as it is too many.</summary>
    private static IEnumerable<string> Without(string[] all, string[] others)
    {
        Dictionary<string, int> left = others.CountBy(line => line).ToDictionary();
        foreach (string line in all)
        {
            int count = left.GetValueOrDefault(line);
            if (count == 0)
                yield return line;
            else
                left[line] = count - 1;
        }
    }

    private static IEnumerable<string> Members(string text)
    {
        Stack<(int Indent, string Line)> parents = [];
        foreach (string line in text.Split('\n'))
        {
            string member = line.Trim();
            int indent = line.Length - line.TrimStart().Length;
            if (member is "" or "{" or "}")
                continue;
            while (parents.TryPeek(out (int Indent, string Line) parent) && parent.Indent >= indent)
                parents.Pop();
            yield return parents.TryPeek(out (int Indent, string Line) owner) ? $"{owner.Line}: {member}" : member;
            parents.Push((indent, member));
        }
    }
}
