using System.Globalization;
using System.Net;
using System.Text;

namespace TinyMoE.Examples.Specialisation;

/// <summary>
/// A picture of panels as SVG. It is ours and no library's since it takes the reader's light or dark, has text as text, and needs nothing
/// native; a page of code is all that lines, bars, dots and cells ask for. Colours are those of <c>tinymoe view</c>, told apart by the
/// colour-blind; lines have dashes and dots shapes of their own as well.
/// </summary>
internal sealed class Picture(int width, int height)
{
    private static readonly string[] Light = ["#0072b2", "#d55e00", "#008a64", "#b35a8f", "#8a6d00"];
    private static readonly string[] Dark = ["#56b4e9", "#f08c3c", "#2fc79a", "#e39ac6", "#f0e442"];

    // From less to more, through the ground: blue to orange.
    private static readonly string[] LightCells =
        ["#0b4f8a", "#3d8fc4", "#9ccbe6", "#dfeef7", "#f6f6f6", "#fde6d2", "#f7b77d", "#dd7420", "#8f3d00"];

    private static readonly string[] DarkCells =
        ["#7cc8f5", "#4296cc", "#28648e", "#21404f", "#2a2a2a", "#4a3420", "#84501f", "#c87a2c", "#ffb564"];

    private readonly StringBuilder body = new();

    /// <summary>The number of shades of cells.</summary>
    public static int Shades => LightCells.Length;

    /// <summary>A text; anchor start, middle or end; style title, small or text.</summary>
    public void Text(double x, double y, string text, string anchor = "start", string style = "text") => Add(
        $"""<text class="{style}" x="{x:0.#}" y="{y:0.#}" text-anchor="{anchor}">{WebUtility.HtmlEncode(text)}</text>""");

    /// <summary>What a series is called, beside what is drawn of it.</summary>
    public void Key(double x, double y, int series, string name, Mark mark)
    {
        if (mark == Mark.Bar)
            Add($"""<rect class="f{series}" x="{x:0.#}" y="{y - 9:0.#}" width="22" height="10"/>""");
        else if (mark == Mark.Line)
            Add($"""<path class="l{series}" d="M{x:0.#} {y - 4:0.#}h26"/>""");
        else
            Dot(series, x + 20, y - 4);
        Text(x + 31, y, name);
    }

    /// <summary>A dot whose shape is that of the series: circle, square, triangle, diamond.</summary>
    public void Dot(int series, double x, double y)
    {
        string shape = (series % 4) switch
        {
            0 => "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
            1 => "m-2.7-2.7h5.4v5.4h-5.4z",
            2 => "m0-3.6l3.4 6.2h-6.8z",
            _ => "m0-3.9l3.9 3.9l-3.9 3.9l-3.9-3.9z",
        };
        Add($"""<path class="f{series}" fill-opacity=".75" d="M{x:0.#} {y:0.#}{shape}"/>""");
    }

    /// <summary>The key of shades of cells, from <paramref name="least"/> to <paramref name="most"/>.</summary>
    public void CellKey(double x, double y, string least, string most)
    {
        Text(x - 6, y, least, "end");
        for (int shade = 0; shade < Shades; shade++)
            Cells(shade, string.Create(CultureInfo.InvariantCulture, $"M{x + 22 * shade:0.#} {y - 11:0.#}h22v13h-22z"));
        Text(x + 22 * Shades + 6, y, most);
    }

    /// <summary>Cells of one shade, as a path.</summary>
    public void Cells(int shade, string path) => Add($"""<path class="c{shade}" d="{path}"/>""");

    /// <summary>Adds an element, its numbers with points whatever the machine's language.</summary>
    public void Add(FormattableString element) => body.Append(element.ToString(CultureInfo.InvariantCulture)).Append('\n');

    /// <summary>Writes the file.</summary>
    public void Save(string path, string description) => File.WriteAllText(path, string.Create(CultureInfo.InvariantCulture, $$"""
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{width}} {{height}}" width="{{width}}" height="{{height}}" role="img">
        <title>{{WebUtility.HtmlEncode(description)}}</title>
        <style>
        text{font:12px system-ui,"Segoe UI",Helvetica,Arial,sans-serif;fill:#222}.title{font-weight:600}.small{font-size:10px}
        .ground{fill:#fff}.axis{stroke:#777;fill:none}.grid{stroke:#ddd;fill:none}.error{stroke:#222;fill:none}
        {{Style(Light, LightCells)}}
        .l1{stroke-dasharray:7 3}.l2{stroke-dasharray:2 2}.l3{stroke-dasharray:9 3 2 3}
        @media (prefers-color-scheme:dark){
        text{fill:#e4e4e4}.ground{fill:#161616}.axis{stroke:#999}.grid{stroke:#383838}.error{stroke:#e4e4e4}
        {{Style(Dark, DarkCells)}}}
        </style>
        <rect class="ground" width="{{width}}" height="{{height}}"/>
        {{body}}</svg>

        """));

    private static string Style(string[] colors, string[] cells) => string.Concat(
        colors.Select((color, i) => $".f{i}{{fill:{color}}}.l{i}{{stroke:{color};fill:none;stroke-width:2}}")
            .Concat(cells.Select((color, i) => $".c{i}{{fill:{color}}}")));
}

/// <summary>What stands for a series.</summary>
internal enum Mark
{
    /// <summary>A bar.</summary>
    Bar,

    /// <summary>A line.</summary>
    Line,

    /// <summary>A dot.</summary>
    Dot,
}
