using System.Runtime.InteropServices;
using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Train;

/// <summary>The losses of a training step and what else it has to tell.</summary>
/// <param name="Losses">The parts of the loss by name, in the order of the objective, and then <c>total</c>.</param>
/// <param name="GradientNorm">Norm of the whole gradient before it was clipped.</param>
/// <param name="Dropped">Share of the choices that no expert served; null where none were counted.</param>
internal sealed record StepTotals(Dictionary<string, float> Losses, float GradientNorm, float? Dropped)
{
    /// <summary>The loss that was trained on.</summary>
    public float Total => Losses[StepNumbers.Total];
}

/// <summary>
/// Gathers on the device what a step has to tell, its losses, the gradient's norm and the choices of the routers, so that the host waits
/// for it once per step.
/// </summary>
internal sealed class StepNumbers(Backend backend) : IDisposable
{
    /// <summary>The name of the loss that is trained on, the weighted sum of the parts.</summary>
    public const string Total = "total";

    private const int NormPlace = 0, WantedPlace = 1, ServedPlace = 2, FirstLoss = 3; // places in the buffer; losses have the rest of it
    private const int Capacity = 32;

    private readonly DeviceBuffer buffer = backend.Pool.Rent(Capacity * sizeof(float));
    private readonly List<string> names = []; // of the losses
    private readonly float[] values = new float[Capacity];
    private readonly List<Floats> sources = []; // what waits to be gathered: from where, times what, to where
    private readonly List<float> scales = [];
    private readonly List<Target> places = [];
    private bool hasWanted;

    /// <summary>Forgets the numbers of the step before.</summary>
    public void Clear()
    {
        names.Clear();
        ForgetSources(); // of a step that went wrong
        hasWanted = false;
    }

    /// <summary>Adds the parts of a loss and their sum, each times <paramref name="scale"/>.</summary>
    public void AddLosses(Objective loss, float scale)
    {
        foreach ((string name, Tensor value) in loss.Parts)
            AddLoss(name, value.Data, scale);
        AddLoss(Total, loss.Total.Data, scale);
    }

    /// <summary>Adds how many choices all layers made and how many found their expert.</summary>
    public void AddChoices(Tape tape, IReadOnlyList<(int Layer, Routing Routing)> routings)
    {
        if (routings.Count == 0)
            return;
        int E = routings[0].Routing.Assignment.Experts, rows = routings.Max(layer => layer.Routing.Assignment.Rows);
        Tensor wanted = tape.Constant(E), ones = tape.Filled(E, 1f);
        Tensor served = tape.Filled(rows, 0f); // in how many layers each row has an expert
        for (int i = 0; i < routings.Count; i++)
        {
            routings[i].Routing.CountWanted(new Target(wanted.Data, Adds: i > 0));
            Assignment plan = routings[i].Routing.Assignment;
            backend.GroupedBroadcast(ones.Data, plan.Offsets, E, plan.Rows, 1, new Target(served.Data.Slice(0, plan.Rows), Adds: true));
        }

        Add(WantedPlace, wanted.Sum().Data, 1f, adds: hasWanted);
        Add(ServedPlace, served.Sum().Data, 1f, adds: hasWanted);
        hasWanted = true;
    }

    /// <summary>Takes what was added from where it is, all in one pass: to be called before its memory goes.</summary>
    public void Gather()
    {
        backend.ScaleNumbers(CollectionsMarshal.AsSpan(sources), CollectionsMarshal.AsSpan(scales), CollectionsMarshal.AsSpan(places));
        ForgetSources();
    }

    /// <summary>Adds the norm of the step's gradient (1).</summary>
    public void AddNorm(Floats norm) => Add(NormPlace, norm, 1f, adds: false);

    /// <summary>The sums of the step; waits for the device.</summary>
    public StepTotals Read()
    {
        int count = FirstLoss + names.Count;
        backend.Read(buffer.As<float>(count), values.AsSpan(0, count));
        Dictionary<string, float> losses = new(names.Count);
        for (int i = 0; i < names.Count; i++)
            losses.Add(names[i], values[FirstLoss + i]);
        return new StepTotals(losses, values[NormPlace], hasWanted ? 1f - values[ServedPlace] / values[WantedPlace] : null);
    }

    /// <summary>Gives the device's memory back.</summary>
    public void Dispose() => backend.Pool.Return(buffer);

    private void ForgetSources()
    {
        sources.Clear();
        scales.Clear();
        places.Clear();
    }

    private void AddLoss(string name, Floats value, float scale)
    {
        int loss = names.IndexOf(name);
        bool isNew = loss < 0;
        if (isNew)
        {
            loss = names.Count;
            names.Add(name);
        }

        Add(FirstLoss + loss, value, scale, adds: !isNew);
    }

    // Adds scale·value to a place at the next Gather, or stores it there. value (1).
    private void Add(int place, Floats value, float scale, bool adds)
    {
        sources.Add(value);
        scales.Add(scale);
        places.Add(new Target(buffer.As<float>(Capacity).Slice(place, 1), adds));
    }
}
