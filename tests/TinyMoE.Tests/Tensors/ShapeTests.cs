using TinyMoE.Tensors;

namespace TinyMoE.Tests.Tensors;

public sealed class ShapeTests
{
    [Fact]
    public void Tuples_OneToFour_BecomeShapes()
    {
        Shape shape = (2, 3, 5, 7);
        Assert.Equal((4, 210, 7), (shape.Rank, shape.Count, shape.Last));
        Assert.Equal([2, 3, 5, 7], shape.ToArray());
        Assert.Equal("(2, 3, 5)", ((Shape)(2, 3, 5)).ToString());
        Assert.Equal((3, 5), (((Shape)(2, 3, 5))[1], ((Shape)(2, 3, 5)).Last));
        Assert.Equal(9, ((Shape)9).Last);
        Assert.Equal(0, ((Shape)(0, 3)).Count);
    }

    [Fact]
    public void Equality_SameSizesOtherRank_Differs()
    {
        Assert.True((Shape)(2, 3) == Shape.Of([2, 3]));
        Assert.True((Shape)(2, 1) != (Shape)2);
        Assert.True((Shape)(2, 3) != (Shape)(3, 2));
        Assert.Equal(((Shape)(2, 3)).GetHashCode(), Shape.Of([2, 3]).GetHashCode());
    }

    [Fact]
    public void Of_FiveSizesOrNone_Throws()
    {
        Assert.Throws<ArgumentException>(() => Shape.Of([1, 2, 3, 4, 5]));
        Assert.Throws<ArgumentException>(() => Shape.Of([]));
    }

    [Fact]
    public void Sizes_NegativeOrTooMany_Throw()
    {
        Assert.Throws<ArgumentException>(() => (Shape)(2, -1));
        Assert.Throws<ArgumentException>(() => (Shape)(65536, 65536));
        Assert.Throws<ArgumentException>(() => (Shape)(65536, 65536, 65536, 65536)); // overflows 64 bits to zero
    }

    [Fact]
    public void Index_BeyondRank_Throws()
    {
        Shape shape = (2, 3);
        Assert.Throws<ArgumentOutOfRangeException>(() => shape[2]);
        Assert.Throws<ArgumentOutOfRangeException>(() => shape[-1]);
    }
}
