using System.Text;

namespace TinyMoE.Web.View.Components;

/// <summary>
/// 64 colours for experts, as classes of a style sheet. They were chosen one after the other among 512 (a grid of 8 by 8 by 8), each as far
/// as can be from the eight before it and from the ground, then from all before, where the distance is the least over light and dark and
/// over eyes that see all colours, or lack one kind of cone. So the first eight are told apart by all, neighbours in number too, and of the
/// rest each pair by most; the number stands beside wherever it matters, and beyond 64 it alone tells apart. ExpertColorsTests measures it.
/// </summary>
internal static class ExpertColors
{
    /// <summary>Colours; of more experts they come again.</summary>
    public const int Count = 64;

    /// <summary>How much of a colour is mixed into the ground, in percent, so that text on it can be read in dark and in light.</summary>
    public const int Percent = 50;

    /// <summary>The colours, before they are mixed, as #rrggbb.</summary>
    public static IReadOnlyList<string> All { get; } = [.. (
        "006db6 ff6d00 b600ff 926d49 6db6ff db0000 db9249 6d6d92 490049 240092 92b6b6 db24ff 6d4949 0000ff ff2400 49b66d "
        + "b692db 922492 6d0000 6d9292 db00db 492449 ff9200 db4924 6d00ff b6b692 00246d 922424 4992b6 9292ff 496d6d 9200b6 "
        + "b69224 4900db 9249b6 00496d 924924 db6db6 49926d b66dff 6d0092 b6b624 0000b6 6d6d00 24b649 244924 ff92b6 b6496d "
        + "ff24db 244992 929200 9200db b60000 249224 492424 db9292 6d496d 496ddb 92b6db db6d92 4900b6 6d6db6 2449b6 b60049")
        .Split(' ').Select(color => "#" + color)];

    /// <summary>The classes of what has the colour of an expert: a ground behind text, or the filling of a shape.</summary>
    public static string ClassOf(int expert) => $"x x{expert % Count}";

    /// <summary>The style sheet of the classes.</summary>
    public static string Style { get; } = NewStyle();

    private static string NewStyle()
    {
        StringBuilder style = new($".x{{background:var(--x);fill:var(--x)}}\n");
        for (int i = 0; i < Count; i++)
            style.Append($".x{i}{{--x:color-mix(in srgb,{All[i]} {Percent}%,var(--ground))}}\n");
        return style.ToString();
    }
}
