using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Moe;
using TinyMoE.Tensors;

namespace TinyMoE.Train.Objectives;

/// <summary>What a model is trained to do: makes of a model and a batch a loss with named parts.</summary>
public interface IObjective
{
    /// <summary>The part that reports call the loss and that evaluations measure, in nats per token.</summary>
    string MainPart { get; }

    /// <summary>
    /// Whether it asks the device for the same work in every step, other values in the batch apart: only then a device may record a step
    /// and do it again.
    /// </summary>
    bool IsSameInEveryStep => false;

    /// <summary>
    /// Runs the model on a batch. Outside training the parts are those that can be evaluated: no noise, no dropout, no balance losses.
    /// </summary>
    ObjectiveResult Forward(Tape tape, Decoder model, Batch batch, Pass pass);
}

/// <summary>The loss of a batch, and what the routers decided on its way.</summary>
/// <param name="Loss">The loss that backward starts from, and its parts.</param>
/// <param name="Routings">What the router of each MoE layer decided.</param>
public sealed record ObjectiveResult(Objective Loss, IReadOnlyList<(int Layer, Routing Routing)> Routings)
{
    /// <summary>The value of a part (1).</summary>
    public Tensor Part(string name) => Loss.Parts.First(part => part.Name == name).Value;
}
