using System.Globalization;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Tensors;

namespace TinyMoE.Families;

/// <summary>A tensor of a file, and where its values, or a part of them, lie in the parameter that they belong to.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Shape">Its sizes.</param>
/// <param name="Start">The first element of the parameter that it, or the part, holds.</param>
public sealed record FileTensor(string Name, Shape Shape, int Start)
{
    /// <summary>The part of the tensor that is meant; null: all of it, in order.</summary>
    internal TensorPart? Part { get; init; }

    /// <summary>How many elements of the parameter it holds.</summary>
    internal int Count => Part?.Count ?? Shape.Count;
}

/// <summary>
/// Some elements of a tensor in the order of a matrix: element (row, column) is the tensor's number Begin + row·RowStep +
/// column·ColumnStep.
/// </summary>
internal readonly record struct TensorPart(long Begin, int Rows, int Columns, long RowStep, long ColumnStep)
{
    /// <summary>Number of elements.</summary>
    public int Count => Rows * Columns;

    /// <summary>Whether they follow each other in the tensor.</summary>
    public bool IsRun => (ColumnStep == 1 || Columns == 1) && (RowStep == Columns || Rows == 1);
}

/// <summary>What the files of a family call a model's tensors.</summary>
/// <remarks>
/// A table of templates by the name in the model, with or without the last word (<c>weight</c>, <c>bias</c>). <c>{layer}</c> stands for
/// the layer. <c>{expert}</c> says that the file has a tensor for each expert where the model has one stack; the stack's leading dimension
/// is the experts'. A parameter may have several names, of which a file has one; the first is written.
/// </remarks>
public sealed class TensorNames
{
    private const string Layer = "{layer}";
    private const string Expert = "{expert}";

    private readonly string family;
    private readonly IReadOnlyDictionary<string, IReadOnlyList<NameTemplate>> templates;

    internal TensorNames(string family, IReadOnlyDictionary<string, IReadOnlyList<NameTemplate>> templates) =>
        (this.family, this.templates) = (family, templates);

    /// <summary>The names of a model's own checkpoints.</summary>
    public static TensorNames Of(ModelConfig model) => OwnNames.Of(model);

    /// <summary>The tensors that a parameter is written as in a file, in the order of its elements.</summary>
    public IEnumerable<FileTensor> Of(Parameter parameter) => FormsOf(parameter).First();

    /// <summary>
    /// All forms in which a file may have a parameter, the one that is written first: its tensors each, which are named as they are asked
    /// for (a config.json can claim any number of experts).
    /// </summary>
    internal IEnumerable<IEnumerable<FileTensor>> FormsOf(Parameter parameter)
    {
        foreach (NameTemplate template in TemplatesOf(parameter.Name))
        {
            int[] shape = parameter.Shape.ToArray();
            if (template.Name.Contains(Expert, StringComparison.Ordinal))
            {
                Shape one = Shape.Of(shape.AsSpan(1));
                yield return Enumerable.Range(0, shape[0]).Select(e => new FileTensor(
                    template.Name.Replace(Expert, Text(e), StringComparison.Ordinal), one, e * one.Count));
            }
            else if (template.Packing == Packing.Plain)
            {
                yield return [new FileTensor(template.Name, parameter.Shape, 0)];
            }
            else
            {
                yield return Packed(template, parameter);
            }
        }
    }

    /// <summary>
    /// The name in a file of what the model calls <paramref name="name"/>; of a stack of experts it still has <c>{expert}</c>.
    /// </summary>
    /// <exception cref="TinyMoEException">The family has no such tensor.</exception>
    public string Of(string name) => TemplatesOf(name).First().Name;

    private IEnumerable<NameTemplate> TemplatesOf(string name)
    {
        string[] words = name.Split('.');
        string layer = words is ["layers", string number, ..] ? number : "";
        if (layer.Length > 0)
            words[1] = Layer;
        string key = string.Join('.', words), module = string.Join('.', words[..^1]);
        IEnumerable<NameTemplate> found = templates.TryGetValue(key, out IReadOnlyList<NameTemplate>? whole) ? whole
            : templates.TryGetValue(module, out IReadOnlyList<NameTemplate>? starts)
                ? starts.Select(start => start with { Name = $"{start.Name}.{words[^1]}" })
            : throw new TinyMoEException($"The files of family {family} have no tensor for {name}: the model has what that family lacks.");
        return found.Select(template => template with { Name = template.Name.Replace(Layer, layer, StringComparison.Ordinal) });
    }

    /// <summary>
    /// Where a parameter (E, F, C), (F, C), (E, F) or (F), one part per expert, lies in a tensor that holds more, or in another order.
    /// </summary>
    private static IEnumerable<FileTensor> Packed(NameTemplate template, Parameter parameter)
    {
        int[] shape = parameter.Shape.ToArray();
        bool isVector = parameter.Name.EndsWith(".bias", StringComparison.Ordinal), isStack = shape.Length == (isVector ? 2 : 3);
        int E = isStack ? shape[0] : 1, F = shape[isStack ? 1 : 0], C = isVector ? 1 : shape[^1];
        bool isTurned = template.Packing is Packing.Transposed or Packing.EvenColumns or Packing.OddColumns;
        int parts = template.Packing == Packing.Transposed ? 1 : 2, part = template.Packing is
            Packing.LastRows or Packing.OddColumns or Packing.OddRows ? 1 : 0;
        bool alternates = template.Packing is Packing.EvenColumns or Packing.OddColumns or Packing.EvenRows or Packing.OddRows;
        long step = alternates ? parts : 1, begin = alternates ? part : (long)part * F;
        List<int> sizes = isVector ? [parts * F] : isTurned ? [C, parts * F] : [parts * F, C];
        Shape whole = Shape.Of(isStack ? [E, .. sizes] : [.. sizes]);
        return Enumerable.Range(0, E).Select(e => new FileTensor(template.Name, whole, e * F * C)
        {
            Part = isTurned
                ? new TensorPart((long)e * parts * F * C + begin, F, C, step, (long)parts * F)
                : new TensorPart(((long)e * parts * F + begin) * C, F, C, step * C, 1),
        });
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
