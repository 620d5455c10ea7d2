using System.Numerics.Tensors;
using Microsoft.Win32.SafeHandles;
using TinyMoE.Files;
using TinyMoE.Layers;
using TinyMoE.Memory;

namespace TinyMoE.Families;

/// <summary>A model's values in a safetensors file, under the names of a family.</summary>
public sealed class SafetensorsWeights : IWeightSource, IDisposable
{
    private readonly string path;
    private readonly SafetensorsReader file;
    private readonly TensorNames names;
    private readonly bool isMapped;
    private readonly HashSet<string> unused;
    private readonly Dictionary<Parameter, Piece[]> pieces = [];

    private SafetensorsWeights(string path, SafetensorsReader file, TensorNames names, bool isMapped)
    {
        (this.path, this.file, this.names, this.isMapped) = (path, file, names, isMapped);
        unused = [.. file.Tensors.Keys];
    }

    /// <summary>
    /// Opens a file and checks its header. <paramref name="map"/>: frozen weights are read where they lie in it, so that the file must
    /// stay as it is for as long as the model lives; otherwise all is copied.
    /// </summary>
    public static SafetensorsWeights Open(string path, TensorNames names, bool map = false) =>
        new(path, SafetensorsReader.Open(path), names, map);

    /// <summary>Opens a file that stays open after it, which <paramref name="path"/> names in errors; all is copied.</summary>
    internal static SafetensorsWeights Open(SafeFileHandle file, string path, TensorNames names) =>
        new(path, SafetensorsReader.Open(file, path), names, isMapped: false);

    /// <summary>Whether all tensors are in float32, as a training writes them.</summary>
    internal bool HasOnlyFloat32 => file.Tensors.Values.All(entry => entry.Type == SafetensorsType.Float32);

    /// <inheritdoc/>
    public ElementType TypeOf(Parameter parameter)
    {
        Piece[] all = PiecesOf(parameter);
        SafetensorsType type = all[0].Entry.Type;
        bool isUniform = Array.TrueForAll(all, piece => piece.Entry.Type == type);
        return isUniform && type == SafetensorsType.Bfloat16 ? ElementType.Bfloat16
            : isUniform && type == SafetensorsType.Float16 ? ElementType.Float16
            : ElementType.Float32;
    }

    /// <inheritdoc/>
    public nint AddressOf(Parameter parameter)
    {
        Piece[] all = PiecesOf(parameter);
        SafetensorsEntry first = all[0].Entry;
        return isMapped && IsReadInPlace(first.Type) && LieTogether(all) ? FiniteAddressOf(first, parameter.Count) : 0;
    }

    /// <inheritdoc/>
    public nint[]? AddressesOf(Parameter parameter)
    {
        Piece[] all = PiecesOf(parameter);
        if (!isMapped || !AreMatrices(parameter, all))
            return null;
        nint[] addresses = [.. all.Select(piece => FiniteAddressOf(piece.Entry, piece.Entry.Count))];
        return addresses.Contains(0) ? null : addresses;
    }

    /// <inheritdoc/>
    public void Read(Parameter parameter, int first, Span<float> values)
    {
        foreach ((SafetensorsEntry entry, long from, int to, int count) in Parts(parameter, first, values.Length))
        {
            file.Read(entry, from, values.Slice(to, count));
            RequireFinite(values.Slice(to, count), entry.Name, path);
        }
    }

    /// <inheritdoc/>
    public void Read(Parameter parameter, int first, Span<ushort> values)
    {
        foreach ((SafetensorsEntry entry, long from, int to, int count) in Parts(parameter, first, values.Length))
        {
            Span<ushort> bits = values.Slice(to, count);
            file.Read(entry, from, bits);
            if (entry.Type == SafetensorsType.Float16 ? !Float16.IsFiniteAll(bits) : !Bfloat16.IsFiniteAll(bits))
                throw NotFinite(entry.Name, path);
        }
    }

    /// <inheritdoc/>
    public void Read(StateTensor state, Span<float> values)
    {
        string name = names.Of(state.Name);
        unused.Remove(name);
        file.Read(name, state.Shape.ToArray(), values);
        RequireFinite(values, name, path);
    }

    /// <summary>Makes sure, before a model is built, that the file has what it will ask for.</summary>
    /// <exception cref="TinyMoEException">It names a tensor that is missing, or has another shape.</exception>
    internal void Require(ParameterStore plan)
    {
        foreach (FileTensor tensor in plan.All.SelectMany(names.Of))
            file.Find(tensor.Name, tensor.Shape.ToArray());
        foreach (StateTensor state in plan.States.Where(state => state.IsSaved))
            file.Find(names.Of(state.Name), state.Shape.ToArray());
    }

    /// <summary>Makes sure that the model has asked for every tensor of the file.</summary>
    /// <exception cref="TinyMoEException">It names one that nobody read.</exception>
    public void RequireAllUsed()
    {
        if (unused.Count > 0)
            throw Unknown(path, unused);
    }

    /// <summary>Closes the file; a model that reads it in place must be gone.</summary>
    public void Dispose() => file.Dispose();

    /// <summary>Refuses values of a tensor that are not finite.</summary>
    internal static void RequireFinite(ReadOnlySpan<float> values, string name, string path)
    {
        if (!TensorPrimitives.IsFiniteAll(values))
            throw NotFinite(name, path);
    }

    internal static TinyMoEException Unknown(string path, IEnumerable<string> names)
    {
        string first = names.Order(StringComparer.Ordinal).First();
        return new(
            $"{path} has a tensor '{Excerpt.Of(first)}' that the model of its config.json does not have; the two do not belong "
            + "together.");
    }

    internal static NotFiniteException NotFinite(string name, string path) => new(
        name, $"{path}: tensor {Excerpt.Of(name)} holds values that are not finite (NaN or an infinity), so nothing can be computed "
        + "with it; use another checkpoint.");

    /// <inheritdoc/>
    public bool HasAddressOf(Parameter parameter)
    {
        Piece[] all = PiecesOf(parameter);
        bool isWhole = IsReadInPlace(all[0].Entry.Type) && LieTogether(all);
        return isMapped && (isWhole || (parameter.Shape.Rank == 3 && AreMatrices(parameter, all)))
            && Array.TrueForAll(all, piece => file.AddressOf(piece.Entry) != 0);
    }

    /// <summary>Whether each piece is one matrix of a stack, all in one type that is read in place.</summary>
    private static bool AreMatrices(Parameter parameter, Piece[] all) => all.Length == parameter.Shape[0]
        && IsReadInPlace(all[0].Entry.Type) && Array.TrueForAll(all, piece => piece.Entry.Type == all[0].Entry.Type);

    private static bool IsReadInPlace(SafetensorsType type) =>
        type is SafetensorsType.Float32 or SafetensorsType.Bfloat16 or SafetensorsType.Float16;

    /// <summary>The address of a tensor and of values after it, all of which must be finite; 0: they are not read in place.</summary>
    private nint FiniteAddressOf(SafetensorsEntry entry, long count)
    {
        nint address = file.AddressOf(entry);
        if (address != 0 && !MappedValues.AreFinite(address, entry.Type, count))
            throw NotFinite(entry.Name, path);
        return address;
    }

    /// <summary>The tensors of the file that a parameter is, in the order of its elements.</summary>
    private Piece[] PiecesOf(Parameter parameter)
    {
        if (pieces.TryGetValue(parameter, out Piece[]? known))
            return known;
        Piece[] found = [.. names.Of(parameter).Select(tensor => new Piece(file.Find(tensor.Name, tensor.Shape.ToArray()), tensor.Start))];
        unused.ExceptWith(found.Select(piece => piece.Entry.Name));
        pieces.Add(parameter, found);
        return found;
    }

    /// <summary>Whether tensors of one type follow each other in the file as their elements do in the parameter.</summary>
    private static bool LieTogether(Piece[] all)
    {
        SafetensorsEntry first = all[0].Entry;
        return Array.TrueForAll(
            all, piece => piece.Entry.Type == first.Type && piece.Entry.Begin - first.Begin == (long)piece.Start * first.ElementBytes);
    }

    /// <summary>
    /// Where the elements of a parameter lie: so many of a tensor from one of its elements on, to a place among the values that are asked
    /// for.
    /// </summary>
    private IEnumerable<(SafetensorsEntry Entry, long From, int To, int Count)> Parts(Parameter parameter, int first, int length)
    {
        foreach (Piece piece in PiecesOf(parameter))
        {
            long start = Math.Max(first, piece.Start), end = Math.Min((long)first + length, piece.Start + piece.Entry.Count);
            if (start < end)
                yield return (piece.Entry, start - piece.Start, (int)(start - first), (int)(end - start));
        }
    }

    /// <summary>A tensor of the file, and its first element in the parameter.</summary>
    private readonly record struct Piece(SafetensorsEntry Entry, int Start);
}
