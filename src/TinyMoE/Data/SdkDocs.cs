using System.Text;
using System.Xml;
using TinyMoE.Files;

namespace TinyMoE.Data;

/// <summary>
/// The built-in text: the English API documentation that comes with the .NET SDK, some eight million characters. It differs between versions of the SDK.
/// One stretch a type, its members in the order of the file, one paragraph a line, an empty line between types:
/// <code>
/// BitArray: Manages a compact array of bit values, ...
/// BitArray.Get: Gets the value of the bit at a specific position in the BitArray.
/// index: The zero-based index of the value to get.
/// Returns: The value of the bit at position index.
/// </code>
/// Types are ordered by a hash of their names, so that the end of the text, which validates, is of the same kind as the rest. A paragraph that
/// has occurred is not repeated: the documentation says "The collection is read-only." hundreds of times. The characters are ASCII.
/// </summary>
internal static class SdkDocs
{
    private const string Signatures = "System.Runtime.Intrinsics.xml"; // C signatures and instruction names, hardly a sentence

    /// <summary>The text in ASCII.</summary>
    public static byte[] Build() => Build([.. SdkLocator.DocumentationFiles().Where(file => Path.GetFileName(file) != Signatures)]);

    /// <summary>The text of these documentation files.</summary>
    internal static byte[] Build(string[] files)
    {
        List<DocMember>[] byFile = new List<DocMember>[files.Length];
        try
        {
            Parallel.For(0, files.Length, i => byFile[i] = DocReader.Read(files[i]));
        }
        catch (AggregateException e) when (e.InnerException is { } inner && (inner is XmlException || FileProblem.Is(inner)))
        {
            throw new TinyMoEException($"Cannot read the documentation of the .NET SDK in {Path.GetDirectoryName(files[0])}: {FileProblem.Reason(inner)}. Pass a text with --data FILE instead.", inner);
        }

        Dictionary<string, List<DocMember>> types = [];
        HashSet<string> ids = [];
        foreach (DocMember member in byFile.SelectMany(members => members))
        {
            if (!ids.Add(member.Id))
                continue; // some types are documented by two assemblies
            if (!types.TryGetValue(member.Type, out List<DocMember>? members))
                types.Add(member.Type, members = []);
            members.Add(member);
        }

        StringBuilder text = new();
        HashSet<string> paragraphs = [];
        foreach ((_, List<DocMember> members) in types.OrderBy(type => Hash(type.Key)).ThenBy(type => type.Key, StringComparer.Ordinal))
        {
            int before = text.Length;
            foreach (DocMember member in members)
                AppendNew(text, member, paragraphs);
            if (text.Length > before)
                text.Append('\n');
        }

        return Encoding.ASCII.GetBytes(text.ToString());
    }

    private static void AppendNew(StringBuilder text, DocMember member, HashSet<string> paragraphs)
    {
        foreach ((string label, string paragraph) in member.Paragraphs)
        {
            // A summary is labelled with the member and compared without: overloads share theirs.
            if (paragraphs.Add(label == member.Name ? paragraph : $"{label}: {paragraph}"))
                text.Append(label).Append(label.Length > 0 ? ": " : "").Append(paragraph).Append('\n');
        }
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
}
