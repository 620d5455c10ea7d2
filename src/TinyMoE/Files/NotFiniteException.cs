namespace TinyMoE.Files;

/// <summary>A tensor holds NaN or an infinity, so it is neither written nor loaded.</summary>
internal sealed class NotFiniteException : TinyMoEException
{
    /// <summary>The error about a tensor, with its one-line message.</summary>
    public NotFiniteException(string tensor, string message)
        : base(message) => Tensor = tensor;

    /// <summary>The name of the tensor.</summary>
    public string Tensor { get; }
}
