using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Optim;
using TinyMoE.Tensors;

namespace TinyMoE.Train;

/// <summary>
/// All that differs from step to step, on the device: the batch, part by part, and the numbers of the step. One copy brings it there,
/// before anything else of the step; its places are the same in every step.
/// </summary>
internal sealed class StepInputs(Backend backend, RunConfig config, IBatchSource source, AdamW optimizer) : IDisposable
{
    private readonly InputBlock block = new(backend);
    private readonly Batch[] parts = new Batch[config.Train.Accumulation];
    private Tape? tape; // owns what found no room in the block

    /// <summary>The step (1), which random numbers are drawn with.</summary>
    public Ints Step { get; private set; }

    /// <summary>What AdamW multiplies by in this step, see <see cref="AdamW.Factors"/>.</summary>
    public Floats Factors { get; private set; }

    /// <summary>The parts of the batch.</summary>
    public IReadOnlyList<Batch> Parts => parts;

    /// <summary>How many bytes of text the targets of all parts stand for.</summary>
    public long TargetBytes { get; private set; }

    /// <summary>Whether all of it is where it was in the step before, and of the same sizes.</summary>
    public bool IsLaidOutAsBefore { get; private set; }

    /// <summary>Brings what a step needs to the device.</summary>
    public void Load(int step, float learningRate)
    {
        tape?.Dispose();
        block.Begin();
        tape = new Tape(backend, block);
        (Ints Step, Floats Factors) before = (Step, Factors);
        Step = tape.Ints([step]);
        Factors = tape.Constant(AdamW.FactorsLength, optimizer.Factors(step, learningRate)).Data;
        IsLaidOutAsBefore = before.Equals((Step, Factors));
        TargetBytes = 0;
        for (int part = 0; part < parts.Length; part++)
        {
            Batch batch = source.TrainBatch(tape, config, step, part);
            if (config.Model.Positions != PositionKind.Rope)
                _ = batch.Tokens.Positions(tape);            // so that the model finds them there
            IsLaidOutAsBefore &= AreAlike(parts[part], batch);
            TargetBytes += batch.TargetBytes;
            parts[part] = batch;
        }

        block.Upload();
    }

    /// <summary>Gives the device's memory back.</summary>
    public void Dispose()
    {
        tape?.Dispose();
        block.Dispose();
    }

    /// <summary>Whether the device does the same work for both, other values apart. A mask has numbers on the host that differ.</summary>
    private static bool AreAlike(Batch? a, Batch b) =>
        a is not null && a.Tokens.Mask is null && b.Tokens.Mask is null
        && Layout(a).Equals(Layout(b));

    private static (Ints, int, int, Ints, Ints) Layout(Batch batch) =>
        (batch.Tokens.Ids, batch.Tokens.B, batch.Tokens.T, batch.Tokens.Labels, batch.Targets);
}
