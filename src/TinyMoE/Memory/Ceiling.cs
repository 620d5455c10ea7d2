namespace TinyMoE.Memory;

/// <summary>Division that rounds up: how many units hold so many things. Sizes are positive, counts not negative.</summary>
internal static class Ceiling
{
    /// <summary>⌈n/size⌉; n may be as large as an int gets.</summary>
    public static int Divide(int n, int size) => (int)(((long)n + size - 1) / size);

    /// <summary>⌈n/size⌉.</summary>
    public static long Divide(long n, long size) => (n + size - 1) / size;

    /// <summary>The smallest multiple of <paramref name="size"/> that is not below n.</summary>
    public static int Multiple(int n, int size) => Divide(n, size) * size;

    /// <summary>The smallest multiple of <paramref name="size"/> that is not below n.</summary>
    public static long Multiple(long n, long size) => Divide(n, size) * size;
}
