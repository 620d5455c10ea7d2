using TinyMoE.Backends;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Generate;

/// <summary>
/// Generation on a device of its own memory: tokens are chosen there, the next step begins from what the last one left there, and the host
/// reads tokens several at a time. Where the device can record the step of a token, each is one launch.
/// </summary>
internal sealed class DecodeLoop : IDisposable
{
    /// <summary>Most choices between two reads.</summary>
    public const int Together = 16;

    private readonly Backend backend;
    private readonly Decoder model;
    private readonly SamplingRules rules;
    private readonly List<DeviceBuffer> buffers = [];
    private readonly DecodeState state;
    private readonly Ints ids;    // that may be written; empty: all
    private readonly Ints seen;   // a mark for each token that was there; empty: nobody asks
    private readonly Ints label;  // of every token; empty: none
    private readonly int? labelOfAll;
    private readonly StepWork work;
    private readonly DecoderCache cache;
    private readonly int[] numbers = new int[DecodeState.First + Together]; // of the state, as they were read last
    private readonly Action step;
    private bool isLaidOutAsBefore; // memory of the cache is where it was in the last step

    public DecodeLoop(
        Backend backend, Decoder model, SamplingRules rules, IReadOnlyList<int> prompt, IReadOnlyList<int>? writable, int? label)
    {
        (this.backend, this.model, this.rules) = (backend, model, rules);
        step = DoStep;
        work = new StepWork(backend.Recorder, isSameInEveryStep: true, tell: _ => { });
        cache = model.NewCache();
        state = new DecodeState(Rent(numbers.Length));
        if (writable is not null)
            ids = OnDevice([.. writable]);
        if (rules.RepetitionPenalty != 1f)
            seen = OnDevice(Marks(prompt));
        labelOfAll = label;
        if (label is { } one)
            this.label = OnDevice([one]);
    }

    /// <summary>
    /// Reads a text from its beginning, so many tokens at a time, and chooses the token after it, as choice <paramref name="index"/>.
    /// </summary>
    public void Begin(ReadOnlySpan<int> tokens, int index, int part)
    {
        cache.Clear();
        cache.State = null;
        for (; tokens.Length > part; tokens = tokens[part..])
        {
            using Tape tape = backend.NewTape(recording: false);
            _ = Forward(tape, tape.Ints(tokens[..part]));
        }

        using Tape last = backend.NewTape(recording: false);
        Tensor logits = Forward(last, last.Ints(tokens)).Logits;
        backend.Write<int>(DecodeState.Begin(cache.Length - 1, index, Together), state.Numbers);
        logits.ChooseToken(ids, seen, in rules, state);
        cache.State = state;
    }

    /// <summary>So many times: goes on by the token that was chosen last, and chooses the next.</summary>
    public void Go(int steps)
    {
        isLaidOutAsBefore &= cache.Reserve(cache.Length + steps);
        for (int i = 0; i < steps; i++)
        {
            work.Do(isLaidOutAsBefore, step);
            isLaidOutAsBefore = true;
            cache.Advance(1);
        }
    }

    /// <summary>The tokens of the last choices, from number <paramref name="index"/> on; waits for the device.</summary>
    public int[] Fetch(int index, int count, out int? failed)
    {
        backend.Read(state.Numbers, numbers);
        failed = numbers[DecodeState.Failed] < 0 ? null : numbers[DecodeState.Failed];
        return [.. Enumerable.Range(index, count).Select(i => numbers[DecodeState.First + i % Together])];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        work.Dispose();
        cache.Dispose();
        foreach (DeviceBuffer buffer in buffers)
            backend.Pool.Return(buffer);
    }

    private void DoStep()
    {
        using Tape tape = backend.NewTape(recording: false);
        Forward(tape, state.Token).Logits.ChooseToken(ids, seen, in rules, state);
    }

    private DecoderOutput Forward(Tape tape, Ints tokens)
    {
        bool isStep = cache.State is not null;
        Ints labels = label.IsNone ? default : tokens.Length == 1 ? label : tape.Ints(Labels(tokens.Length));
        TokenBatch batch = new(tokens, B: 1, tokens.Length)
        {
            Labels = labels, LabelOfAll = labelOfAll, Position = isStep ? state.Position : default,
        };
        return model.Forward(tape, batch, Pass.Inference, cache, lastOnly: true);
    }

    private int[] Labels(int count)
    {
        int[] labels = new int[count];
        Array.Fill(labels, labelOfAll!.Value);
        return labels;
    }

    private int[] Marks(IReadOnlyList<int> tokens)
    {
        int[] marks = new int[model.Config.Model.Vocabulary];
        foreach (int token in tokens)
            marks[token] = 1;
        return marks;
    }

    private Ints OnDevice(int[] values)
    {
        Ints place = Rent(values.Length);
        backend.Write<int>(values, place);
        return place;
    }

    private Ints Rent(int count)
    {
        DeviceBuffer buffer = backend.Pool.Rent(count * sizeof(int), "generation");
        buffers.Add(buffer);
        return buffer.As<int>(count);
    }
}
