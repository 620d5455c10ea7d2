using System.Text;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Data;

public sealed class SdkDocsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("T:System.Collections.Generic.List`1", "List", "System.Collections.Generic.List")]
    [InlineData("M:System.Collections.Generic.List`1.Add(`0)", "List.Add", "System.Collections.Generic.List")]
    [InlineData("M:System.Collections.BitArray.#ctor(System.Boolean[])", "BitArray", "System.Collections.BitArray")]
    [InlineData(
        "M:System.Linq.Enumerable.Count``1(System.Collections.Generic.IEnumerable{``0})", "Enumerable.Count", "System.Linq.Enumerable")]
    [InlineData("M:System.Decimal.op_Addition(System.Decimal,System.Decimal)", "Decimal.Addition", "System.Decimal")]
    [InlineData("M:System.Int32.System#IConvertible#ToByte(System.IFormatProvider)", "Int32.ToByte", "System.Int32")]
    [InlineData("M:System.Byte.op_Explicit(System.Byte)~System.Char", "Byte.Explicit", "System.Byte")]
    [InlineData("F:System.Int32.MaxValue", "Int32.MaxValue", "System.Int32")]
    [InlineData("N:System.Text.Json", "System.Text.Json", "System.Text.Json")]
    [InlineData("", "", "")]
    public void Names_OfDocumentationIds_AreReadable(string id, string readable, string type)
    {
        Assert.Equal(readable, DocNames.Readable(id));
        Assert.Equal(type, DocNames.TypeOf(id));
    }

    [Fact]
    public void Build_OfOneType_ReadsAsEnglish()
    {
        string file = folder.Write("a.xml", """
            <doc><members>
              <member name="T:N.Box`1">
                <summary>Holds a <typeparamref name="T" /> – or
                  <see langword="null" />.</summary>
                <typeparam name="T">The type of the contents.</typeparam>
              </member>
              <member name="M:N.Box`1.Put(`0)">
                <summary><para>Puts <paramref name="item" /> into the <see cref="T:N.Box`1" />.</para><para>void put_box(T t);</para>
                <para>It is x<sup>2</sup> ≤ <c>y</c>.</para></summary>
                <param name="item">What to put in.</param>
                <returns><list type="table"><listheader><term>Value</term><description>Meaning</description></listheader>
                  <item><term>1</term><description>It did fit.</description></item></list></returns>
                <exception cref="T:System.ArgumentNullException"><paramref name="item" /> is <see langword="null" />.

             -or-

             It is <see cref="F:N.Color.Red">red</see>.</exception>
              </member>
              <member name="M:N.Box`1.Put(`0,System.Int32)">
                <summary><para>Puts <paramref name="item" /> into the <see cref="T:N.Box`1" />.</para></summary>
                <param name="item">What to put in.</param>
                <param name="kana">The kana は is left out.</param>
              </member>
              <member name="P:N.Box`1.Empty" />
            </members></doc>
            """);

        Assert.Equal(
            """
            Box: Holds a T - or null.
            T: The type of the contents.
            Box.Put: Puts item into the Box.
            It is x^2 <= y.
            item: What to put in.
            Returns: 1: It did fit.
            Throws ArgumentNullException: item is null. -or- It is red.


            """, TextOf([file]));
    }

    [Fact]
    public void Build_BrokenFile_SaysWhatToDo()
    {
        string file = folder.Write("a.xml", "<doc><members>");
        Assert.Contains("--data FILE", OneLine.Of(() => TextOf([file])));
    }

    [Fact]
    public void Locator_SeveralPacks_TakesTheNewestThatHasDocumentation()
    {
        string[] versions = ["9.0.12", "10.0.2", "10.0.10-preview.1", "10.0.10", "11.0.0"];
        foreach (string version in versions)
            folder.Write($"dotnet/packs/Microsoft.NETCore.App.Ref/{version}/ref/net/{(version == "11.0.0" ? "only.dll" : "b.xml")}", "");

        string file = Assert.Single(SdkLocator.DocumentationFiles([folder["nothing"], folder["dotnet"]]));

        Assert.Equal(folder["dotnet/packs/Microsoft.NETCore.App.Ref/10.0.10/ref/net/b.xml"], file);
        Assert.Contains("--data FILE", OneLine.Of(() => SdkLocator.DocumentationFiles([folder["nothing"]])));
    }

    [Fact]
    public void Build_OfInstalledFiles_IsTheSameEveryTime()
    {
        string[] files = SdkLocator.DocumentationFiles()[^20..];
        Assert.Equal(TextOf(files), TextOf(files));
    }

    [Fact]
    public void Corpus_OfTheInstalledSdk_IsMegabytesOfAscii()
    {
        Corpus corpus = Corpus.Load(new DataConfig());
        string start = corpus.Tokenizer.Decode(corpus.Train[..300_000].ToArray());
        string end = corpus.Tokenizer.Decode(corpus.Validation[^300_000..].ToArray());

        Assert.InRange(corpus.Train.Length + corpus.Validation.Length, 3_000_000, 30_000_000);
        Assert.InRange(corpus.Tokenizer.Vocabulary, 80, 96);
        Assert.All(new[] { "System", "Returns: ", "Gets " }, word => Assert.Contains(word, start));
        Assert.All(new[] { "System", "Returns: ", "Gets " }, word => Assert.Contains(word, end));
        Assert.DoesNotContain("  ", start);
        Assert.DoesNotContain("\n\n\n", start);
    }

    [Fact]
    public void Domains_AreTheFirstTwoNamesOfNamespaces_TheLargestSevenAndOther()
    {
        // Types by falling size; Outer holds Inner, and only Inner has much to say.
        string[] types =
        [
            "System.A.B.C.Type", "System.Outer.Inner", "M.One", "System.D.Type", "System.E.Type", "System.F.Type", "System.G.Type",
            "System.H.Type", "Win.H.Type",
        ];
        DocDomains domains = new([.. types, "System.Outer"]);
        using LabelledText text = new();

        for (int i = 0; i < types.Length; i++)
        {
            text.Text.Extend(100 - i).Fill((byte)'a');
            domains.Add(types[i], text.Text.Length);
        }

        domains.Label(text, part: 3);

        Assert.Equal(["System.A", "System", "M", "System.D", "System.E", "System.F", "System.G", "other"], text.Labels);
        Assert.Equal([100, 99, 98, 97, 96, 95, 94, 93 + 92], text.Stretches.Select(stretch => stretch.Length));
        Assert.All(text.Stretches, stretch => Assert.Equal(3, stretch.Part));
    }

    [Fact]
    public void Labels_OfTheInstalledSdk_AreAtMostEightAndKeepTheSplit()
    {
        Corpus corpus = Corpus.Load(new DataConfig());
        int[] ids = [.. corpus.Train.ToArray(), .. corpus.Validation.ToArray()], labels = new int[corpus.Validation.Length - 1];

        corpus.ValidationWindow(0, new int[labels.Length], new int[labels.Length], labels);

        Assert.Equal(8, corpus.Labels.Count);
        Assert.Contains("System", corpus.Labels);
        Assert.Contains("other", corpus.Labels);
        Assert.Equal(8, labels.Distinct().Count());
        Assert.Equal(new Corpus(corpus.Tokenizer, ids, 0.1f).Fingerprint, corpus.Fingerprint);
    }

    private static string TextOf(string[] files)
    {
        using TextBuffer text = new();
        SdkDocs.Append(text, files);
        return Encoding.ASCII.GetString(text.Bytes);
    }
}
