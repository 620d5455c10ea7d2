using System.Globalization;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Tensors;

namespace TinyMoE.Families;

/// <summary>One tensor of a file, and where its values lie in the parameter that they belong to.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Shape">Its sizes.</param>
/// <param name="Start">Its first element in the parameter.</param>
public sealed record FileTensor(string Name, Shape Shape, int Start);

/// <summary>What the files of a family call a model's tensors.</summary>
/// <remarks>
/// A table of templates by the name in the model, with or without the last word (<c>weight</c>, <c>bias</c>). <c>{layer}</c> stands for
/// the layer. <c>{expert}</c> says that the file has a tensor for each expert where the model has one stack; the stack's leading dimension
/// is the experts'.
/// </remarks>
public sealed class TensorNames
{
    private const string Layer = "{layer}";
    private const string Expert = "{expert}";

    private readonly string family;
    private readonly IReadOnlyDictionary<string, string> templates;

    internal TensorNames(string family, IReadOnlyDictionary<string, string> templates) =>
        (this.family, this.templates) = (family, templates);

    /// <summary>The names of a model's own checkpoints.</summary>
    public static TensorNames Of(ModelConfig model) => Family.Own.Names(model);

    /// <summary>The tensors that a parameter is in a file, in the order of its elements.</summary>
    public IEnumerable<FileTensor> Of(Parameter parameter)
    {
        string template = Of(parameter.Name);
        if (!template.Contains(Expert, StringComparison.Ordinal))
            return [new FileTensor(template, parameter.Shape, 0)];
        Shape one = Shape.Of(parameter.Shape.ToArray().AsSpan(1));
        return Enumerable.Range(0, parameter.Shape[0])
            .Select(e => new FileTensor(template.Replace(Expert, Text(e), StringComparison.Ordinal), one, e * one.Count));
    }

    /// <summary>
    /// The name in a file of what the model calls <paramref name="name"/>; of a stack of experts it still has <c>{expert}</c>.
    /// </summary>
    /// <exception cref="TinyMoEException">The family has no such tensor.</exception>
    public string Of(string name)
    {
        string[] words = name.Split('.');
        string layer = words is ["layers", string number, ..] ? number : "";
        if (layer.Length > 0)
            words[1] = Layer;
        string key = string.Join('.', words), module = string.Join('.', words[..^1]);
        string template = templates.TryGetValue(key, out string? whole) ? whole
            : templates.TryGetValue(module, out string? start) ? $"{start}.{words[^1]}"
            : throw new TinyMoEException($"A model of the family {family} has no tensor {name}, so it cannot be read or written as one; "
                + "change the configuration so that the model does not have it, or choose another family.");
        return template.Replace(Layer, layer, StringComparison.Ordinal);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
