using System.Buffers;

namespace TinyMoE.Tensors;

/// <summary>A stack whose room comes from the shared array pool and goes back
/// to it: after the first step, filling one again allocates nothing.</summary>
internal sealed class PooledStack<T> : IDisposable
{
    private T[] items = [];

    public int Count { get; private set; }

    /// <summary>What is on it, oldest first.</summary>
    public ReadOnlySpan<T> Items => items.AsSpan(0, Count);

    public T Top => items[Count - 1];

    public void Push(T item)
    {
        if (Count == items.Length)
            Grow();
        items[Count++] = item;
    }

    public void Pop() => items[--Count] = default!;

    public void Dispose()
    {
        Return(items);
        (items, Count) = ([], 0);
    }

    private void Grow()
    {
        T[] larger = ArrayPool<T>.Shared.Rent(Math.Max(64, 2 * Count));
        Items.CopyTo(larger);
        Return(items);
        items = larger;
    }

    private static void Return(T[] items) => ArrayPool<T>.Shared.Return(items, clearArray: true);
}
