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

    public static void That(string op, bool condition, string message)
    {
        if (!condition)
            throw new ArgumentException($"{op}: {message}.");
    }
}
