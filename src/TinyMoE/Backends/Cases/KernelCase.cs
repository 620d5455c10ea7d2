namespace TinyMoE.Backends.Cases;

/// <summary>One kernel of the contract at given sizes.</summary>
/// <param name="Family">Its heading in the contract, as the files are named.</param>
/// <param name="Name">The kernel, and the variant.</param>
/// <param name="Run">Calls it: draws inputs and asks for outputs in an order that is the same on every device.</param>
/// <param name="Tolerance">How far values may be from the CPU's, relative to 1 + |value|; whole numbers must be equal.</param>
internal sealed record KernelCase(string Family, string Name, Action<Backend, KernelData> Run, double Tolerance = KernelCase.UsualTolerance)
{
    /// <summary>The tolerance of most cases.</summary>
    public const double UsualTolerance = 1e-5;

    /// <inheritdoc/>
    public override string ToString() => $"{Family}: {Name}";

    /// <summary>The largest error of <paramref name="device"/> beside <paramref name="reference"/>,
    /// relative to 1 + |value|; infinite where a whole number differs.</summary>
    public double ErrorOn(Backend device, Backend reference)
    {
        using KernelData expected = new(reference), actual = new(device);
        Run(reference, expected);
        Run(device, actual);
        return actual.ErrorBeside(expected);
    }
}
