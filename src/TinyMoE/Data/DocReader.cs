using System.Text;
using System.Xml;

namespace TinyMoE.Data;

/// <summary>Reads an XML documentation file into paragraphs of plain English.</summary>
internal sealed class DocReader
{
    private readonly XmlReader xml;
    private readonly DocText docs;
    private readonly StringBuilder text = new();
    private string name = "";
    private string label = "";

    private DocReader(XmlReader xml, DocText docs) => (this.xml, this.docs) = (xml, docs);

    /// <summary>Adds the members of a file, in its order.</summary>
    public static void Read(string file, DocText docs)
    {
        using XmlReader xml = XmlReader.Create(file, new XmlReaderSettings { IgnoreComments = true, IgnoreProcessingInstructions = true });
        DocReader reader = new(xml, docs);
        while (xml.ReadToFollowing("member"))
            reader.ReadMember(xml.GetAttribute("name") ?? "");
    }

    private void ReadMember(string id)
    {
        name = DocNames.Readable(id);
        docs.BeginMember(id);
        ReadSections();
        docs.EndMember();
    }

    private void ReadSections()
    {
        if (xml.IsEmptyElement)
            return;
        int depth = xml.Depth;
        while (xml.Read() && xml.Depth > depth)
        {
            if (xml.NodeType != XmlNodeType.Element)
                continue;
            label = xml.Name switch
            {
                "summary" => name,
                "param" or "typeparam" => xml.GetAttribute("name") ?? "",
                "returns" => "Returns",
                "value" => "Value",
                "exception" => $"Throws {DocNames.Readable(xml.GetAttribute("cref") ?? "")}",
                _ => "",
            };
            ReadSection();
        }
    }

    // Everything inside the current element.
    private void ReadSection()
    {
        if (xml.IsEmptyElement)
            return;
        int depth = xml.Depth;
        while (xml.Read() && xml.Depth > depth)
        {
            switch (xml.NodeType)
            {
                case XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.Whitespace or XmlNodeType.SignificantWhitespace:
                    text.Append(xml.Value);
                    break;
                case XmlNodeType.Element:
                    Open();
                    break;
                case XmlNodeType.EndElement:
                    Close();
                    break;
            }
        }

        EndParagraph();
    }

    private void Open()
    {
        switch (xml.Name)
        {
            case "para" or "p" or "list" or "ul" or "item" or "li" or "listheader" or "br":
                EndParagraph();
                break;
            case "paramref" or "typeparamref":
                text.Append(xml.GetAttribute("name"));
                break;
            case "see" or "seealso" or "xref" when xml.IsEmptyElement: // with contents, the contents say it
                text.Append(xml.GetAttribute("langword") ?? xml.GetAttribute("href")
                    ?? DocNames.Readable(xml.GetAttribute("cref") ?? xml.GetAttribute("uid") ?? ""));
                break;
            case "sup":
                text.Append('^');
                break;
        }
    }

    private void Close()
    {
        switch (xml.Name)
        {
            case "para" or "p" or "list" or "ul" or "item" or "li" or "listheader":
                EndParagraph();
                break;
            case "term":
                text.Append(": ");
                break;
        }
    }

    private void EndParagraph()
    {
        if (Clean() is { } clean && IsEnglish(clean))
        {
            docs.Add(label, clean, labelIsMember: label == name);
            label = ""; // further paragraphs of the section stand alone
        }

        text.Clear();
    }

    // A sentence ends like one and has words; signatures, table heads and code do not.
    private static bool IsEnglish(string paragraph) =>
        paragraph.AsSpan().Count(' ') >= 2 && paragraph[^1] is '.' or '?' or '!' or ':' or ')' or '"'
        && !paragraph.StartsWith("-or-", StringComparison.Ordinal);

    // With white space collapsed and in ASCII; null if a character has no ASCII for it.
    private string? Clean()
    {
        StringBuilder clean = new(text.Length);
        foreach (char c in text.ToString())
        {
            if (char.IsWhiteSpace(c))
            {
                if (clean.Length > 0 && clean[^1] != ' ')
                    clean.Append(' ');
            }
            else if (c is > ' ' and <= '~')
            {
                clean.Append(c);
            }
            else if (Ascii(c) is { } ascii)
            {
                clean.Append(ascii);
            }
            else
            {
                return null;
            }
        }

        return clean.ToString().TrimEnd();
    }

    private static string? Ascii(char c) => c switch
    {
        '\u2018' or '\u2019' => "'",
        '\u201C' or '\u201D' => "\"",
        '\u2010' or '\u2011' or '\u2012' or '\u2013' or '\u2212' => "-",
        '\u2014' => " - ",
        '\u2026' => "...",
        '\u2264' => "<=",
        '\u2265' => ">=",
        '\u00D7' => "x",
        '\u200B' or '\uFEFF' => "",
        _ => null,
    };
}
