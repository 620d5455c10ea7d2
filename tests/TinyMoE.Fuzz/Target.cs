namespace TinyMoE.Fuzz;

/// <summary>
/// A reader under test. Given any bytes it throws a <see cref="TinyMoEException"/> of one line, or loads what the bytes say.
/// </summary>
internal abstract class Target
{
    /// <summary>What it is called, and the folder of its seeds.</summary>
    public abstract string Name { get; }

    /// <summary>How much of the time it gets, beside the others.</summary>
    public virtual double Share => 1;

    /// <summary>Inputs that are made when they are needed, beside those that are kept.</summary>
    public virtual IEnumerable<byte[]> Made(string folder) => [];

    /// <summary>
    /// Reads an input; says what is wrong with what it loads, or null. <paramref name="folder"/> is one that nobody else uses; it may hold
    /// what the input before left.
    /// </summary>
    /// <exception cref="TinyMoEException">The input is refused, as it may be.</exception>
    public abstract string? Read(byte[] input, string folder);

    /// <summary>Puts the input into a file.</summary>
    protected static string Write(string folder, string name, byte[] input)
    {
        string path = Path.Combine(folder, name);
        File.WriteAllBytes(path, input);
        return path;
    }
}

/// <summary>A reader that is a function of a file.</summary>
/// <param name="name">What it is called.</param>
/// <param name="file">The name of the file that it reads.</param>
/// <param name="read">Reads the file at a path; says what is wrong with what it loads, or null.</param>
internal sealed class FileTarget(string name, string file, Func<string, byte[], string?> read) : Target
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override string? Read(byte[] input, string folder) => read(Write(folder, file, input), input);
}
