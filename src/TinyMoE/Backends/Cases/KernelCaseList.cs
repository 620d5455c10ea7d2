namespace TinyMoE.Backends.Cases;

/// <summary>Every kernel of the contract, tried: what a device's self-test runs, what tests compare with the CPU, and what the table of
/// costs measures.</summary>
internal static class KernelCaseList
{
    private static readonly KernelCases[] All =
    [
        .. typeof(KernelCases).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(KernelCases)) && !type.IsAbstract)
            .Select(type => (KernelCases)Activator.CreateInstance(type)!)
            .OrderBy(family => family.Order).ThenBy(family => family.Family, StringComparer.Ordinal),
    ];

    /// <summary>The cases of all families at these sizes; outputs are stored,
    /// or <paramref name="adds"/> where they can be added to.</summary>
    public static IEnumerable<KernelCase> Of(KernelSizes sizes, bool adds = false) => All.SelectMany(family => family.Of(sizes, adds));
}
