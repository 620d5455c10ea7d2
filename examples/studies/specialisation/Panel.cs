using System.Globalization;

namespace TinyMoE.Examples.Specialisation;

/// <summary>An axis: its ends, its ticks with what stands beside them, and its name.</summary>
internal sealed record Axis(double From, double To, IReadOnlyList<(double At, string Text)> Ticks, string Name)
{
    /// <summary>An axis from 0 with about five round ticks; <paramref name="scale"/> is what a value is multiplied by in words.</summary>
    public static Axis UpTo(double most, string name, double from = 0, double scale = 1)
    {
        double rough = Math.Max(most - from, 1e-9) * scale / 5, power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = new[] { 1, 2, 5, 10 }.First(factor => factor * power >= rough) * power / scale;
        double first = Math.Ceiling(from / step - 1e-9);
        IEnumerable<double> ticks =
            Enumerable.Range(0, (int)Math.Floor(most / step - first + 1e-9) + 1).Select(i => (first + i) * step);
        return new Axis(from, most, [.. ticks.Select(at => (at, (at * scale).ToString("0.###", CultureInfo.InvariantCulture)))], name);
    }

    /// <summary>Where a value is, from 0 to 1.</summary>
    public double Place(double value) => (value - From) / (To - From);
}

/// <summary>A part of a picture with axes.</summary>
internal sealed class Panel
{
    private readonly Picture picture;
    private readonly (double X, double Y, double Width, double Height) place;
    private readonly Axis x, y;

    /// <summary>Draws the axes and the title.</summary>
    public Panel(Picture picture, (double X, double Y, double Width, double Height) place, Axis x, Axis y, string title)
    {
        (this.picture, this.place, this.x, this.y) = (picture, place, x, y);
        double bottom = place.Y + place.Height;
        picture.Text(place.X, place.Y - 8, title, style: "title");
        foreach ((double at, string text) in y.Ticks)
        {
            picture.Add($"""<path class="grid" d="M{place.X:0.#} {Y(at):0.#}h{place.Width:0.#}"/>""");
            picture.Text(place.X - 5, Y(at) + 4, text, "end");
        }

        foreach ((double at, string text) in x.Ticks)
            picture.Text(X(at), bottom + 15, text, "middle");
        picture.Add($"""<path class="axis" d="M{place.X:0.#} {place.Y:0.#}V{bottom:0.#}h{place.Width:0.#}"/>""");
        picture.Text(place.X + place.Width / 2, bottom + 31, x.Name, "middle");
        (double left, double middle) = (place.X - 36, place.Y + place.Height / 2);
        picture.Add($"""<text transform="translate({left:0.#} {middle:0.#}) rotate(-90)" text-anchor="middle">{y.Name}</text>""");
    }

    /// <summary>A line through points.</summary>
    public void Line(int series, IEnumerable<(double X, double Y)> points)
    {
        IEnumerable<string> places = points.Select(point => FormattableString.Invariant($"{X(point.X):0.#} {Y(point.Y):0.#}"));
        picture.Add($"""<path class="l{series}" d="M{string.Join('L', places)}"/>""");
    }

    /// <summary>A level to compare with.</summary>
    public void Level(double at) => picture.Add(
        $"""<path class="axis" stroke-dasharray="2 4" d="M{place.X:0.#} {Y(at):0.#}h{place.Width:0.#}"/>""");

    /// <summary>A bar with its error.</summary>
    public void Bar(int series, double from, double to, double value, double error)
    {
        (double left, double right, double height) = (X(from), X(to), Y(0) - Y(value)); // height below 0: downwards
        picture.Add($"""<path class="f{series}" d="M{left:0.#} {Y(0):0.#}v{-height:0.#}H{right:0.#}v{height:0.#}z"/>""");
        if (error > 0)
            picture.Add($"""<path class="error" d="M{(left + right) / 2:0.#} {Y(value - error):0.#}V{Y(value + error):0.#}"/>""");
    }

    /// <summary>A dot.</summary>
    public void Dot(int series, double atX, double atY) => picture.Dot(series, X(atX), Y(atY));

    private double X(double value) => place.X + place.Width * x.Place(value);

    private double Y(double value) => place.Y + place.Height * (1 - y.Place(value));
}
