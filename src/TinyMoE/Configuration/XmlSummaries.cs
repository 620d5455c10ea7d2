using System.Reflection;
using System.Xml.Linq;

namespace TinyMoE.Configuration;

/// <summary>The summaries of an assembly's members, from the documentation file beside it, so that they are written once.</summary>
internal static class XmlSummaries
{
    /// <summary>Plain text by documentation id ("P:TinyMoE.Configuration.ModelConfig.Width"); empty where there is no file.</summary>
    public static Dictionary<string, string> Of(Assembly assembly)
    {
        string file = Path.ChangeExtension(assembly.Location, ".xml");
        if (!File.Exists(file))
            return [];
        return XDocument.Load(file).Descendants("member").ToDictionary(
            member => member.Attribute("name")!.Value,
            member => OneLine(string.Concat((member.Element("summary")?.Nodes() ?? []).Select(Text))));
    }

    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static string Text(XNode node) => node switch
    {
        XText text => text.Value,
        XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
        XElement { Name.LocalName: "see" } see => see.Attribute("cref")!.Value.Split('.')[^1],
        XElement other => other.Value,
        _ => "",
    };
}
