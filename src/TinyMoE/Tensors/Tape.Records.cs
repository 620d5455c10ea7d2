namespace TinyMoE.Tensors;

// Record with what backward needs passed beside it, not captured by it: on a tape that does not record, an op allocates nothing. The
// backward is a static lambda, which gets the output first.
public sealed partial class Tape
{
    /// <summary>
    /// <see cref="Record(string, Tensor, Action, bool)"/> where <paramref name="backward"/> is given the output and what is passed here.
    /// </summary>
    internal Tensor Record<TA>(string op, Tensor y, TA a, Action<Tensor, TA> backward, bool readsOutput = false) =>
        Recording ? Record(op, y, Bound(y, a, backward), readsOutput) : y;

    /// <inheritdoc cref="Record{TA}(string, Tensor, TA, Action{Tensor, TA}, bool)"/>
    internal Tensor Record<TA, TB>(string op, Tensor y, TA a, TB b, Action<Tensor, TA, TB> backward, bool readsOutput = false) =>
        Recording ? Record(op, y, Bound(y, a, b, backward), readsOutput) : y;

    /// <inheritdoc cref="Record{TA}(string, Tensor, TA, Action{Tensor, TA}, bool)"/>
    internal Tensor Record<TA, TB, TC>(
        string op, Tensor y, TA a, TB b, TC c, Action<Tensor, TA, TB, TC> backward,
        bool readsOutput = false) =>
        Recording ? Record(op, y, Bound(y, a, b, c, backward), readsOutput) : y;

    /// <inheritdoc cref="Record{TA}(string, Tensor, TA, Action{Tensor, TA}, bool)"/>
    internal Tensor Record<TA, TB, TC, TD>(
        string op, Tensor y, TA a, TB b, TC c, TD d, Action<Tensor, TA, TB, TC, TD> backward,
        bool readsOutput = false) =>
        Recording ? Record(op, y, Bound(y, a, b, c, d, backward), readsOutput) : y;

    /// <inheritdoc cref="Record{TA}(string, Tensor, TA, Action{Tensor, TA}, bool)"/>
    internal Tensor Record<TA, TB, TC, TD, TE>(
        string op, Tensor y, TA a, TB b, TC c, TD d, TE e, Action<Tensor, TA, TB, TC, TD, TE> backward,
        bool readsOutput = false) =>
        Recording ? Record(op, y, Bound(y, a, b, c, d, e, backward), readsOutput) : y;

    /// <inheritdoc cref="Record{TA}(string, Tensor, TA, Action{Tensor, TA}, bool)"/>
    internal Tensor Record<TA, TB, TC, TD, TE, TF>(
        string op, Tensor y, TA a, TB b, TC c, TD d, TE e, TF f, Action<Tensor, TA, TB, TC, TD, TE, TF> backward,
        bool readsOutput = false) =>
        Recording ? Record(op, y, Bound(y, a, b, c, d, e, f, backward), readsOutput) : y;

    /// <inheritdoc cref="Record{TA}(string, Tensor, TA, Action{Tensor, TA}, bool)"/>
    internal Tensor Record<TA, TB, TC, TD, TE, TF, TG>(
        string op, Tensor y, TA a, TB b, TC c, TD d, TE e, TF f, TG g, Action<Tensor, TA, TB, TC, TD, TE, TF, TG> backward,
        bool readsOutput = false) =>
        Recording ? Record(op, y, Bound(y, a, b, c, d, e, f, g, backward), readsOutput) : y;

    private static Action Bound<TA>(Tensor y, TA a, Action<Tensor, TA> backward) =>
        () => backward(y, a);

    private static Action Bound<TA, TB>(Tensor y, TA a, TB b, Action<Tensor, TA, TB> backward) =>
        () => backward(y, a, b);

    private static Action Bound<TA, TB, TC>(Tensor y, TA a, TB b, TC c, Action<Tensor, TA, TB, TC> backward) =>
        () => backward(y, a, b, c);

    private static Action Bound<TA, TB, TC, TD>(Tensor y, TA a, TB b, TC c, TD d, Action<Tensor, TA, TB, TC, TD> backward) =>
        () => backward(y, a, b, c, d);

    private static Action Bound<TA, TB, TC, TD, TE>(Tensor y, TA a, TB b, TC c, TD d, TE e, Action<Tensor, TA, TB, TC, TD, TE> backward) =>
        () => backward(y, a, b, c, d, e);

    private static Action Bound<TA, TB, TC, TD, TE, TF>(
        Tensor y, TA a, TB b, TC c, TD d, TE e, TF f, Action<Tensor, TA, TB, TC, TD, TE, TF> backward) =>
        () => backward(y, a, b, c, d, e, f);

    private static Action Bound<TA, TB, TC, TD, TE, TF, TG>(
        Tensor y, TA a, TB b, TC c, TD d, TE e, TF f, TG g, Action<Tensor, TA, TB, TC, TD, TE, TF, TG> backward) =>
        () => backward(y, a, b, c, d, e, f, g);
}
