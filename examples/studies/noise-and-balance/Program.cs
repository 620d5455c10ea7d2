// What noise, balance losses, the z-loss and a float32 router are for: each is taken away in turn.
//
//     dotnet run -c Release --project examples/studies/noise-and-balance [CONFIG]
using System.Globalization;
using TinyMoE.Examples;

return Study.Run(
    args,
    ("variant", v => v.Name),
    ("validation loss", v => v.Of(run => run.Loss)),
    ("max violation", v => v.OfLayers(layer => layer.MaxViolation)),
    ("dead experts", v => v.Dead),
    ("router entropy", v => v.OfLayers(layer => layer.Entropy ?? 0)),
    ("diverged", v => string.Create(CultureInfo.InvariantCulture, $"{v.Runs.Count(run => run.Problem is not null)} of {v.Runs.Count}")));
