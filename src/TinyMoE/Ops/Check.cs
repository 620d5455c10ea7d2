using System.Runtime.CompilerServices;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

/// <summary>Says which op got what shape instead of which.</summary>
internal static class Check
{
    public static void Shape(string op, Tensor tensor, Shape expected)
    {
        if (tensor.Shape != expected)
            throw new ArgumentException($"{op} needs a tensor of shape {expected}, not {tensor.Shape}.");
    }

    public static void Count(string op, Tensor tensor, int expected)
    {
        if (tensor.Count != expected)
            throw new ArgumentException($"{op} needs a tensor of {expected} elements, not {tensor.Shape}.");
    }

    public static void Length(string op, Ints indices, int expected)
    {
        if (indices.Length != expected)
            throw new ArgumentException($"{op} needs {expected} indices, not {indices.Length}.");
    }

    /// <summary>The message is put together only when the condition fails.</summary>
    public static void That(string op, bool condition, [InterpolatedStringHandlerArgument(nameof(condition))] ref Message message)
    {
        if (!condition)
            throw new ArgumentException($"{op}: {message.ToStringAndClear()}.");
    }

    public static void That(string op, bool condition, string message)
    {
        if (!condition)
            throw new ArgumentException($"{op}: {message}.");
    }

    /// <summary>An interpolated text that nobody writes unless the check fails: one that passes allocates nothing.</summary>
    [InterpolatedStringHandler]
    public ref struct Message
    {
        private DefaultInterpolatedStringHandler text;

        public Message(int literalLength, int formattedCount, bool condition, out bool failed)
        {
            failed = !condition;
            if (failed)
                text = new DefaultInterpolatedStringHandler(literalLength, formattedCount);
        }

        public void AppendLiteral(string literal) => text.AppendLiteral(literal);

        public void AppendFormatted<T>(T value) => text.AppendFormatted(value);

        public string ToStringAndClear() => text.ToStringAndClear();
    }
}
