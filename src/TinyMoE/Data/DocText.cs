using System.Text;
using TinyMoE.Memory;

namespace TinyMoE.Data;

/// <summary>A type or member of which documentation says something.</summary>
/// <param name="Type">The full name of the type that it is or belongs to.</param>
/// <param name="Id">Its documentation id, such as <c>M:System.String.Trim(System.Char)</c>, in UTF-8.</param>
/// <param name="First">The first of its paragraphs.</param>
/// <param name="End">The one behind the last.</param>
internal readonly record struct DocMember(string Type, View<byte> Id, int First, int End);

/// <summary>A paragraph of plain ASCII English.</summary>
/// <param name="Line">The paragraph with its label ("List.Add: ", "Returns: ", "index: ", or none).</param>
/// <param name="Sense">
/// What tells whether two paragraphs say the same: the line, but of a summary without the member's name, since overloads share theirs.
/// </param>
internal readonly record struct DocParagraph(View<byte> Line, View<byte> Sense);

/// <summary>What documentation files say: all their text in one native buffer, and where in it each id and each paragraph is.</summary>
internal sealed class DocText : IDisposable
{
    private const string Colon = ": ";

    private readonly TextBuffer text = new();
    private readonly List<(string Type, int Id, int IdEnd, int First)> members = [];
    private readonly List<(int Line, int Sense, int End)> paragraphs = [];

    /// <summary>How many members there are, each with a paragraph at least.</summary>
    public int MemberCount => members.Count;

    /// <summary>The number of paragraphs of all members.</summary>
    public int ParagraphCount => paragraphs.Count;

    /// <summary>The member of that number, in the order they were added.</summary>
    public DocMember Member(int index)
    {
        (string type, int id, int idEnd, int first) = members[index];
        return new DocMember(type, text.View(id, idEnd), first, index + 1 < members.Count ? members[index + 1].First : paragraphs.Count);
    }

    /// <summary>The paragraph of that number, counted over all members.</summary>
    public DocParagraph Paragraph(int index)
    {
        (int line, int sense, int end) = paragraphs[index];
        return new DocParagraph(text.View(line, end), text.View(sense, end));
    }

    /// <summary>Paragraphs that are added from now on are about this member.</summary>
    public void BeginMember(string id)
    {
        string type = DocNames.TypeOf(id);
        if (members.Count > 0 && members[^1].Type == type)
            type = members[^1].Type; // members of a type follow each other: one name for all
        int start = text.Length;
        text.Append(id, Encoding.UTF8);
        members.Add((type, start, text.Length, paragraphs.Count));
    }

    /// <summary>
    /// Adds a paragraph with the label that it begins with, or none; <paramref name="labelIsMember"/>: the label is the member's own name.
    /// </summary>
    public void Add(string label, string paragraph, bool labelIsMember)
    {
        int start = text.Length;
        text.Append(label, Encoding.ASCII);
        text.Append(Colon, Encoding.ASCII);
        int behindLabel = text.Length;
        text.Append(paragraph, Encoding.ASCII);
        paragraphs.Add((label.Length > 0 ? start : behindLabel, labelIsMember ? behindLabel : start, text.Length));
    }

    /// <summary>Ends the member; one without paragraphs is none.</summary>
    public void EndMember()
    {
        if (members[^1].First < paragraphs.Count)
            return;
        text.Truncate(members[^1].Id);
        members.RemoveAt(members.Count - 1);
    }

    /// <summary>Gives the text's memory back: ids and paragraphs are gone.</summary>
    public void Dispose() => text.Dispose();
}
