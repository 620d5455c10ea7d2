using System.Text;
using TinyMoE.Files;

namespace TinyMoE.App;

/// <summary>Reads the file of a text that a person named.</summary>
internal static class TextFile
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The text of a file, which is UTF-8.</summary>
    /// <exception cref="TinyMoEException">It cannot be read, or is something else.</exception>
    public static string Read(string file)
    {
        if (string.IsNullOrWhiteSpace(file))
            throw new TinyMoEException("The name of a file is empty; name one with a text.");
        try
        {
            if (FilePlace.NotRegular(file) is { } what)
                throw new TinyMoEException($"{file} is not a regular file but {what}: write its text into a file.");
            return Strict.GetString(File.ReadAllBytes(file));
        }
        catch (DecoderFallbackException e)
        {
            throw new TinyMoEException($"{file} is not UTF-8 text at byte {e.Index}: convert it.", e);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read {file}: {FileProblem.Reason(e)}.", e);
        }
    }
}
