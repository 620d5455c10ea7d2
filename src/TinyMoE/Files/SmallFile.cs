using System.Text;

namespace TinyMoE.Files;

/// <summary>Reads files of a size that fits into memory with ease, from folders that may hold anything.</summary>
internal static class SmallFile
{
    /// <summary>Most bytes of a file of settings.</summary>
    public const long Settings = 4L << 20;

    private const long Most = 256L << 20;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>All of a file.</summary>
    /// <exception cref="TinyMoEException">There is none, it cannot be read, is no regular file, or is too long for what it is.</exception>
    public static byte[] Read(string path, long most = Most)
    {
        try
        {
            if (FilePlace.NotRegular(path) is { } kind)
                throw new TinyMoEException($"{path} is {kind} and no regular file; take another copy of it");
            FileInfo file = new(path);
            return !file.Exists || file.Length <= most ? File.ReadAllBytes(path) : throw new TinyMoEException(
                $"{path} has {file.Length >> 20} MiB, and such files are read up to {most >> 20} MiB; is it another file?");
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    /// <summary>All of a file as text.</summary>
    /// <exception cref="TinyMoEException">The same, or it is not UTF-8.</exception>
    public static string Text(string path)
    {
        try
        {
            return Strict.GetString(Read(path));
        }
        catch (DecoderFallbackException e)
        {
            throw new TinyMoEException($"{path} is not UTF-8 text at byte {e.Index}.", e);
        }
    }
}
