namespace TinyMoE;

/// <summary>
/// A mistake a person can mend (bad input, a broken file, an impossible configuration). The message is one line: what, where, what to do.
/// </summary>
public class TinyMoEException : Exception
{
    /// <summary>Creates the error with its one-line message.</summary>
    public TinyMoEException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the error with its one-line message and what caused it.</summary>
    public TinyMoEException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
