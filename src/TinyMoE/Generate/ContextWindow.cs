namespace TinyMoE.Generate;

/// <summary>What of a text a model with so much context sees while it writes.</summary>
internal static class ContextWindow
{
    /// <summary>Tokens of a prompt at a time: the activations of a long one would take much memory.</summary>
    public const int Part = 512;

    /// <summary>Of a window that is longer than the context only the last half stays; whether that was so.</summary>
    public static bool IsStartedOver(List<int> window, int context)
    {
        if (window.Count <= context)
            return false;
        window.RemoveRange(0, window.Count - Math.Max(1, context / 2));
        return true;
    }
}
