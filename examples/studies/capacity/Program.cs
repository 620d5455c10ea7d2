// What a capacity limit costs: from half of an even share to twice as much, against no limit.
//
//     dotnet run -c Release --project examples/studies/capacity [CONFIG]
using TinyMoE.Examples;

return Study.Run(
    args,
    ("capacity factor", v => v.Name),
    ("validation loss", v => v.Of(run => run.Loss)),
    ("dropped in training, %", v => v.Of(run => 100 * run.Dropped, "F2")),
    ("tokens/s", v => v.Speed),
    ("max violation", v => v.OfLayers(layer => layer.MaxViolation)));
