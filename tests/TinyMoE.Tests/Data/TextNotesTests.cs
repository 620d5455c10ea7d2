using TinyMoE.Data;

namespace TinyMoE.Tests.Data;

public sealed class TextNotesTests
{
    [Fact]
    public void Lines_OfManyFiles_NameThreeAndCountTheRest_OneLinePerKind()
    {
        TextNotes notes = new();
        foreach (string file in (string[])["a", "b", "b", "c", "d", "a", "e"])
            notes.Add(file, "is odd");
        notes.Add("a", "is cut");

        Assert.Equal(["a, b, c and 2 more: is odd", "a: is cut"], notes.Lines);
    }
}
