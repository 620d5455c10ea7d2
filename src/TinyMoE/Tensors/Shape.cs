namespace TinyMoE.Tensors;

/// <summary>The sizes of a contiguous row-major tensor, one to four of them, outermost first.</summary>
public readonly struct Shape : IEquatable<Shape>
{
    private readonly int a;
    private readonly int b;
    private readonly int c;
    private readonly int d;

    private Shape(int rank, int a, int b, int c, int d)
    {
        Int128 count = (Int128)a * b * c * d;
        if (a < 0 || b < 0 || c < 0 || d < 0 || count > int.MaxValue)
            throw new ArgumentException($"A tensor has at most {int.MaxValue} elements and no negative size, not ({a}, {b}, {c}, {d}).");
        (Rank, this.a, this.b, this.c, this.d) = (rank, a, b, c, d);
    }

    /// <summary>Number of dimensions.</summary>
    public int Rank { get; }

    /// <summary>Number of elements.</summary>
    public int Count => a * b * c * d;

    /// <summary>Size of the last dimension.</summary>
    public int Last => this[Rank - 1];

    /// <summary>Size of dimension <paramref name="index"/>.</summary>
    public int this[int index] => (uint)index >= (uint)Rank
        ? throw new ArgumentOutOfRangeException(nameof(index), $"Dimension {index} of a shape of rank {Rank}.")
        : index switch { 0 => a, 1 => b, 2 => c, _ => d };

    /// <summary>A vector shape.</summary>
    public static implicit operator Shape(int size) => new(1, size, 1, 1, 1);

    /// <summary>A matrix shape.</summary>
    public static implicit operator Shape((int A, int B) sizes) => new(2, sizes.A, sizes.B, 1, 1);

    /// <summary>A shape of three dimensions.</summary>
    public static implicit operator Shape((int A, int B, int C) sizes) => new(3, sizes.A, sizes.B, sizes.C, 1);

    /// <summary>A shape of four dimensions.</summary>
    public static implicit operator Shape((int A, int B, int C, int D) sizes) => new(4, sizes.A, sizes.B, sizes.C, sizes.D);

    /// <summary>Same rank and sizes.</summary>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Another rank or size.</summary>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    /// <summary>The shape of these sizes, outermost first.</summary>
    public static Shape Of(ReadOnlySpan<int> sizes) => sizes.Length switch
    {
        1 => sizes[0],
        2 => (sizes[0], sizes[1]),
        3 => (sizes[0], sizes[1], sizes[2]),
        4 => (sizes[0], sizes[1], sizes[2], sizes[3]),
        _ => throw new ArgumentException($"A shape has one to four dimensions, not {sizes.Length}."),
    };

    /// <summary>The same shape with another last dimension.</summary>
    public Shape WithLast(int last) => Rank switch
    {
        1 => last,
        2 => (a, last),
        3 => (a, b, last),
        _ => (a, b, c, last),
    };

    /// <summary>The sizes, outermost first.</summary>
    public int[] ToArray() => [.. new[] { a, b, c, d }.AsSpan(0, Rank)];

    /// <inheritdoc/>
    public bool Equals(Shape other) => Rank == other.Rank && a == other.a && b == other.b && c == other.c && d == other.d;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, a, b, c, d);

    /// <inheritdoc/>
    public override string ToString() => $"({string.Join(", ", ToArray())})";
}
