using TinyMoE.Backends;

namespace TinyMoE.Tensors;

// Generation makes the same objects for every token. A tape that is rewound gives them out again: from the second token on nothing is
// allocated.
public sealed partial class Tape
{
    private static int kinds; // of objects that tapes give out

    private IShelf?[]? shelves; // by kind; null: the tape is for one step, and objects are new

    private Tape(Backend backend, IShelf?[] shelves)
        : this(backend, recording: false) => this.shelves = shelves;

    private interface IShelf
    {
        void Rewind();
    }

    /// <summary>A tape for one step after another, with <see cref="Rewind"/> between them; it does not record.</summary>
    internal static Tape Rewindable(Backend backend) => new(backend, new IShelf?[16]);

    /// <summary>
    /// Begins the next step: memory goes back to the pool, and all that the tape gave out, tensors among it, is given out again. Whoever
    /// holds any of it from before must not use it.
    /// </summary>
    internal void Rewind()
    {
        if (shelves is null)
            throw new InvalidOperationException("This tape is for one step; what it gave out may still be in use.");
        Dispose();
        foreach (IShelf? shelf in shelves)
            shelf?.Rewind();
    }

    /// <summary>An object that lives as long as the tape's step: one that served in an earlier step, or what <paramref name="make"/> makes,
    /// always the same per kind. Its owner sets all of it.</summary>
    internal T Take<T>(Func<T> make)
        where T : class
    {
        if (shelves is null)
            return make();
        int kind = Kind<T>.Index;
        if (kind >= shelves.Length)
            Array.Resize(ref shelves, 2 * kind);
        ref IShelf? shelf = ref shelves[kind];
        return ((Shelf<T>)(shelf ??= new Shelf<T>())).Take(make);
    }

    private static class Kind<T>
    {
        public static readonly int Index = Interlocked.Increment(ref kinds) - 1;
    }

    private sealed class Shelf<T> : IShelf
        where T : class
    {
        private readonly List<T> items = [];
        private int used;

        public T Take(Func<T> make)
        {
            if (used == items.Count)
                items.Add(make());
            return items[used++];
        }

        public void Rewind() => used = 0;
    }
}
