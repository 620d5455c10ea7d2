// Every router on one text at equal active work: what each is worth, what it costs, how well it balances.
//
//     dotnet run -c Release --project examples/studies/routers [CONFIG]
using System.Globalization;
using TinyMoE.Examples;

return Study.Run(
    args,
    ("router", v => v.Name),
    ("validation loss", v => v.Of(run => run.Loss)),
    ("tokens/s", v => v.Speed),
    ("max violation", v => v.OfLayers(layer => layer.MaxViolation)),
    ("dead experts", v => v.Dead),
    ("weights", v => Millions(v.Size.TotalParameters)),
    ("active", v => Millions(v.Size.ActiveParameters)));

static string Millions(long count) => string.Create(CultureInfo.InvariantCulture, $"{count / 1e6:F2}M");
