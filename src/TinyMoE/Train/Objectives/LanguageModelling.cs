using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Train.Objectives;

/// <summary>Predicts every next token: the mean cross-entropy, and in training the balance losses of the routers.</summary>
public sealed class LanguageModelling : IObjective
{
    /// <inheritdoc/>
    public string MainPart => Objective.CrossEntropy;

    /// <inheritdoc/>
    public bool IsSameInEveryStep => true;

    /// <inheritdoc/>
    public ObjectiveResult Forward(Tape tape, Decoder model, Batch batch, Pass pass)
    {
        DecoderOutput output = model.Forward(tape, batch.Tokens, pass);
        return new ObjectiveResult(Objective.Of(output, batch.Targets, model.Config.Moe.LayerLosses), output.Routings);
    }
}
