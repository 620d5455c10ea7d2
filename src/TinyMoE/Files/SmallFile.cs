namespace TinyMoE.Files;

/// <summary>Reads files that are small, such as settings, from folders that may hold anything.</summary>
internal static class SmallFile
{
    private const int Largest = 1 << 22; // bytes

    /// <summary>All bytes of a file.</summary>
    /// <exception cref="TinyMoEException">There is none, it cannot be read, is no regular file, or is too long for what it is.</exception>
    public static byte[] Read(string path)
    {
        try
        {
            if (FilePlace.NotRegular(path) is { } kind)
                throw new TinyMoEException($"{path} is {kind} and no regular file; take another copy of the model");
            FileInfo file = new(path);
            return !file.Exists || file.Length <= Largest ? File.ReadAllBytes(path) : throw new TinyMoEException(
                $"{path} has {file.Length} bytes, more than any such file; take another copy of the model");
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read {path}: {FileProblem.Reason(e)}.", e);
        }
    }
}
