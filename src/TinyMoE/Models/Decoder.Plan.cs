using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;

namespace TinyMoE.Models;

// The model without values: its names, shapes and memory.
public sealed partial class Decoder
{
    /// <summary>
    /// The parameters that the model of a configuration has, without making them: they have names and shapes but no values.
    /// </summary>
    public static IReadOnlyList<Parameter> Plan(RunConfig config) => PlanStore(config).All;

    /// <summary>The same, with what the model keeps and does not train.</summary>
    internal static ParameterStore PlanStore(RunConfig config) =>
        new Decoder(new ParameterStore { MatrixPrecision = config.Train.ActivationType }, config).Parameters;

    /// <summary>The model on a backend that only counts: it has its memory, and no values.</summary>
    internal static Decoder DryRun(Backend backend, RunConfig config, bool training)
    {
        Decoder model = new(new ParameterStore(backend) { MatrixPrecision = config.Train.ActivationType }, config);
        model.rotary?.Place(backend);
        model.Parameters.Place(training);
        return model;
    }
}
