using TinyMoE.Backends;

namespace TinyMoE.Tensors;

/// <summary>
/// What was computed, in order, so that <see cref="Backward(Tensor)"/> can walk it the other way. One tape lives for one step:
/// <c>using Tape tape = backend.NewTape();</c> and disposing returns whatever memory is still out.
/// A tape that does not record serves inference: same ops, no backward.
/// </summary>
public sealed partial class Tape : IDisposable
{
    private readonly PooledStack<Node> nodes = new();

    internal Tape(Backend backend, bool recording) => (Backend, Recording) = (backend, recording);

    /// <summary>A tape that places what comes from the host in <paramref name="inputs"/>, which brings it to the device later.</summary>
    internal Tape(Backend backend, InputBlock inputs)
        : this(backend, recording: false) => this.inputs = inputs;

    /// <summary>The backend that computes.</summary>
    public Backend Backend { get; }

    /// <summary>Whether ops are recorded for backward.</summary>
    public bool Recording { get; }

    /// <summary>The layer whose ops are being recorded; it names the place when a value is not finite.</summary>
    public string Scope { get; set; } = "";

    /// <summary>
    /// The only way a computed tensor leaves an op. <paramref name="backward"/> reads <c>y.Grad</c> and writes the
    /// <see cref="Tensor.GradTarget"/> of the inputs; it runs once, and only when something downstream wanted y.
    /// Unless it <paramref name="readsOutput"/>, y's values are gone by then: their memory is free for gradients.
    /// </summary>
    public Tensor Record(string op, Tensor y, Action backward, bool readsOutput = false)
    {
        if (Recording)
        {
            (y.Owned, pending) = (pending, default);
            y.NeededByBackward = readsOutput;
            nodes.Push(new Node(op, Scope, y, backward));
        }

        return y;
    }

    /// <summary>
    /// Gradients of <paramref name="loss"/> (one element) by everything it was computed from; frees each node as it passes.
    /// Read the loss before: its memory goes back too.
    /// </summary>
    public void Backward(Tensor loss)
    {
        if (loss.Count != 1)
            throw new ArgumentException($"Backward starts from a loss of one element, not {loss.Shape}.");
        Backward(loss, 1f);
    }

    /// <summary>Backward from any tensor with a given gradient dy of the loss by it.</summary>
    internal void Backward(Tensor y, ReadOnlySpan<float> dy)
    {
        RequireRecording();
        Backend.WriteNarrow(dy, y.GradTarget().Values);
        Backward();
    }

    /// <summary>Backward from a loss of one element with a constant as gradient: the device stores it, the host sends nothing.</summary>
    internal void Backward(Tensor loss, float gradient)
    {
        RequireRecording();
        Backend.Fill(loss.GradTarget().Values, gradient);
        Backward();
    }

    private void RequireRecording()
    {
        if (!Recording)
            throw new InvalidOperationException("This tape does not record; make it with NewTape(recording: true).");
    }

    private void Backward()
    {
        for (; nodes.Count > 0; nodes.Pop())
        {
            Node node = nodes.Top;
            if (!node.Output.NeededByBackward)
                node.Output.ReleaseValues();
            if (node.Output.HasGrad)
                node.Backward();
            node.Output.Owned.ReturnTo(Backend.Pool);
        }
    }

    /// <summary>The first recorded value that is not finite, as "Op in layer", or null; waits for the device. For diagnosis only.</summary>
    public string? FindNonFinite()
    {
        foreach (Node node in nodes.Items)
        {
            if (node.Output.IsUsedUp)
                continue; // the op that took its memory over is on the tape as well
            foreach (float value in Backend.ReadWide(node.Output.Values))
            {
                if (!float.IsFinite(value))
                    return node.Scope.Length > 0 ? $"{node.Op} in {node.Scope}" : node.Op;
            }
        }

        return null;
    }

    /// <summary>Returns all memory that is still out.</summary>
    public void Dispose()
    {
        foreach (Node node in nodes.Items)
            node.Output.Owned.ReturnTo(Backend.Pool);
        nodes.Dispose();
        pending.ReturnTo(Backend.Pool);
        kept.ReturnTo(Backend.Pool);
    }

    private readonly record struct Node(string Op, string Scope, Tensor Output, Action Backward);
}
