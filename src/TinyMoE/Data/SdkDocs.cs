using System.Xml;
using TinyMoE.Files;
using TinyMoE.Memory;

namespace TinyMoE.Data;

/// <summary>
/// The built-in text: the English API documentation that comes with the .NET SDK, some eight million characters. It differs between
/// versions of the SDK. One stretch per type, its members in the order of the file, one paragraph per line, an empty line between types:
/// <code>
/// BitArray: Manages a compact array of bit values, ...
/// BitArray.Get: Gets the value of the bit at a specific position in the BitArray.
/// index: The zero-based index of the value to get.
/// Returns: The value of the bit at position index.
/// </code>
/// Types are ordered by a hash of their names, so that the end of the text, which validates, is of the same kind as the rest. A paragraph
/// that has occurred is not repeated: the documentation says "The collection is read-only." hundreds of times. The characters are ASCII.
/// </summary>
internal static class SdkDocs
{
    private const string Signatures = "System.Runtime.Intrinsics.xml"; // C signatures and instruction names, hardly a sentence

    /// <summary>
    /// Adds the text, in ASCII, to what is there, with the label, or with those of <see cref="DocDomains"/> if null; it belongs to that
    /// part of the text, or to its label's.
    /// </summary>
    public static void Append(LabelledText text, string? label, int? part, CancellationToken stop = default)
    {
        string[] files = [.. SdkLocator.DocumentationFiles().Where(file => Path.GetFileName(file) != Signatures)];
        DocDomains domains = Append(text.Text, files, stop);
        if (label is null)
            domains.Label(text, part);
        else
            text.Label(text.Text.Length, label, part);
    }

    /// <summary>Adds the text of these documentation files; gives where in it is which type.</summary>
    internal static DocDomains Append(TextBuffer text, string[] files, CancellationToken stop = default)
    {
        using DocText docs = new();
        try
        {
            foreach (string file in files)
            {
                stop.ThrowIfCancellationRequested();
                DocReader.Read(file, docs);
            }
        }
        catch (Exception e) when (e is XmlException || FileProblem.Is(e))
        {
            throw new TinyMoEException(
                $"Cannot read the documentation of the .NET SDK in {Path.GetDirectoryName(files[0])}: {FileProblem.Reason(e)}. "
                + "Pass a text with --data FILE instead.", e);
        }

        Dictionary<string, List<int>> types = [];
        HashSet<View<byte>> ids = new(docs.MemberCount, SameBytes.Comparer);
        for (int i = 0; i < docs.MemberCount; i++)
        {
            DocMember member = docs.Member(i);
            if (!ids.Add(member.Id))
                continue; // some types are documented by two assemblies
            if (!types.TryGetValue(member.Type, out List<int>? members))
                types.Add(member.Type, members = []);
            members.Add(i);
        }

        DocDomains domains = new(types.Keys);
        HashSet<View<byte>> said = new(docs.ParagraphCount, SameBytes.Comparer);
        foreach ((string type, List<int> members) in types.OrderBy(type => Hash(type.Key)).ThenBy(type => type.Key, StringComparer.Ordinal))
        {
            int before = text.Length;
            foreach (int member in members)
                AppendNew(text, docs, docs.Member(member), said);
            if (text.Length == before)
                continue;
            AppendLine(text, []);
            domains.Add(type, text.Length);
        }

        return domains;
    }

    private static void AppendNew(TextBuffer text, DocText docs, DocMember member, HashSet<View<byte>> said)
    {
        for (int i = member.First; i < member.End; i++)
        {
            DocParagraph paragraph = docs.Paragraph(i);
            if (said.Add(paragraph.Sense))
                AppendLine(text, paragraph.Line.Span);
        }
    }

    private static void AppendLine(TextBuffer text, ReadOnlySpan<byte> line)
    {
        text.Append(line);
        text.Append("\n"u8);
    }

    // FNV-1a (Fowler, Noll and Vo), finished by Murmur's mixer, which spreads names that differ at their ends.
    private static ulong Hash(string name)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (char c in name)
            hash = (hash ^ c) * 0x100000001B3;
        hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCD;
        return hash ^ (hash >> 33);
    }

    /// <summary>Compares views by their bytes, not by where these lie.</summary>
    private sealed class SameBytes : IEqualityComparer<View<byte>>
    {
        public static SameBytes Comparer { get; } = new();

        public bool Equals(View<byte> x, View<byte> y) => x.Span.SequenceEqual(y.Span);

        public int GetHashCode(View<byte> view)
        {
            HashCode hash = default;
            hash.AddBytes(view.Span);
            return hash.ToHashCode();
        }
    }
}
