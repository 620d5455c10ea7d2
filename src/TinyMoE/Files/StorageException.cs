namespace TinyMoE.Files;

/// <summary>
/// The file system refused to write: the disk is full, a right is missing. What was there before is kept, and the same write may work
/// later.
/// </summary>
internal sealed class StorageException : TinyMoEException
{
    /// <summary>The error with its one-line message and what caused it.</summary>
    public StorageException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
