using System.Numerics.Tensors;
using TinyMoE.Families.Config;
using TinyMoE.Files;
using TinyMoE.Layers;
using TinyMoE.Memory;

namespace TinyMoE.Families;

/// <summary>A model's values in the files of others, under the names of their family, in whatever form they keep them.</summary>
internal sealed class HubWeights : IWeightSource
{
    private readonly SafetensorsFolder folder;
    private readonly TensorNames names;
    private readonly Quantization packing;
    private readonly HashSet<string> unused;
    private readonly Dictionary<Parameter, Piece[]> pieces = [];
    private readonly Dictionary<string, StoredTensor> stored = []; // one object per tensor, so that what was read last is known again
    private readonly Turned turned = new();

    /// <summary>
    /// The values in an open folder, which must stay open. Tensors that <paramref name="isIdle"/> says yes to may be left unread.
    /// </summary>
    public HubWeights(SafetensorsFolder folder, TensorNames names, Quantization packing, Predicate<string> isIdle)
    {
        (this.folder, this.names, this.packing) = (folder, names, packing);
        Idle = [.. folder.Tensors.Keys.Where(name => isIdle(name))];
        unused = [.. folder.Tensors.Keys.Except(Idle)];
    }

    /// <summary>The tensors that are left unread on purpose.</summary>
    public IReadOnlyList<string> Idle { get; }

    /// <inheritdoc/>
    public ElementType TypeOf(Parameter parameter)
    {
        Piece[] all = PiecesOf(parameter);
        ElementType? kept = all[0].Tensor.Kept;
        if (kept is { } type && Array.TrueForAll(all, piece => piece.Tensor.Kept == type))
            return type;
        return Array.TrueForAll(all, piece => piece.Tensor is StoredTensor.InMxfp4) ? ElementType.Bfloat16 : ElementType.Float32;
    }

    /// <inheritdoc/>
    public nint AddressOf(Parameter parameter)
    {
        Piece[] all = PiecesOf(parameter);
        return all[0].Tensor.Kept is null || !LieTogether(all) ? 0 : FiniteAddressOf(all[0], parameter.Count);
    }

    /// <inheritdoc/>
    public nint[]? AddressesOf(Parameter parameter)
    {
        Piece[] all = PiecesOf(parameter);
        int each = parameter.Count / parameter.Shape[0];
        if (!AreMatrices(parameter, all))
            return null;
        nint[] addresses = [.. all.Select(piece => FiniteAddressOf(piece, each))];
        return addresses.Contains(0) ? null : addresses;
    }

    /// <inheritdoc/>
    public bool HasAddressOf(Parameter parameter)
    {
        Piece[] all = PiecesOf(parameter);
        bool isWhole = all[0].Tensor.Kept is not null && LieTogether(all);
        return (isWhole || (parameter.Shape.Rank == 3 && AreMatrices(parameter, all)))
            && Array.TrueForAll(all, piece => folder.AddressOf(piece.Tensor.Entry) != 0);
    }

    /// <inheritdoc/>
    public void Read(Parameter parameter, int first, Span<float> values)
    {
        foreach (Piece piece in PiecesOf(parameter))
        {
            int start = Math.Max(first, piece.Start);
            int end = (int)Math.Min((long)first + values.Length, (long)piece.Start + piece.Part.Count);
            if (start >= end)
                continue;
            Span<float> wanted = values.Slice(start - first, end - start);
            piece.Read(start - piece.Start, wanted, turned);
            if (!TensorPrimitives.IsFiniteAll<float>(wanted))
                throw SafetensorsWeights.NotFinite(piece.Tensor.Entry.Name, folder.FileOf(piece.Tensor.Entry));
        }
    }

    /// <inheritdoc/>
    public void Read(Parameter parameter, int first, Span<ushort> values)
    {
        float[] wide = new float[values.Length];
        Read(parameter, first, wide);
        if (TypeOf(parameter) == ElementType.Float16)
            Float16.Narrow(wide, values);
        else
            Bfloat16.Narrow(wide, values);
    }

    /// <inheritdoc/>
    public void Read(StateTensor state, Span<float> values)
    {
        string name = names.Of(state.Name);
        unused.Remove(name);
        folder.Read(folder.Find(name, state.Shape.ToArray()), 0, values);
        if (!TensorPrimitives.IsFiniteAll<float>(values))
            throw SafetensorsWeights.NotFinite(name, folder.Place);
    }

    /// <summary>Makes sure, before a model is built, that the files have all that it will ask for, and nothing that nobody reads.</summary>
    /// <exception cref="TinyMoEException">It names a tensor that is missing, is not read, or has another shape.</exception>
    public void Require(ParameterStore plan)
    {
        foreach (Parameter parameter in plan.All)
            _ = PiecesOf(parameter);
        foreach (StateTensor state in plan.States.Where(state => state.IsSaved))
        {
            string name = names.Of(state.Name);
            _ = folder.Find(name, state.Shape.ToArray());
            unused.Remove(name);
        }

        if (unused.Count > 0)
        {
            string first = unused.Order(StringComparer.Ordinal).First();
            string more = unused.Count > 1 ? $" and {unused.Count - 1} more" : "";
            throw new TinyMoEException($"{folder.FileOf(folder.Tensors[first])} has the tensor {Excerpt.Of(first)}{more} that the model of "
                + "config.json does not have; the two do not belong together");
        }

        pieces.Clear(); // they are of the plan's parameters, and the model has its own
    }

    /// <summary>Whether each piece is one matrix of a stack, all in one type that is read in place.</summary>
    private static bool AreMatrices(Parameter parameter, Piece[] all) => all.Length == parameter.Shape[0]
        && Array.TrueForAll(all, piece => piece.Tensor.Kept is { } type && type == all[0].Tensor.Kept && piece.Part.IsRun);

    /// <summary>
    /// The address of a piece that is a run and of values after it, all of which must be finite; 0: they are not read in place.
    /// </summary>
    private nint FiniteAddressOf(Piece piece, int count)
    {
        SafetensorsEntry entry = piece.Tensor.Entry;
        nint start = folder.AddressOf(entry);
        if (start == 0)
            return 0;
        if (!folder.AreFinite(entry, piece.Part.Begin, count))
            throw SafetensorsWeights.NotFinite(entry.Name, folder.FileOf(entry));
        return start + (nint)(piece.Part.Begin * entry.ElementBytes);
    }

    private Piece[] PiecesOf(Parameter parameter)
    {
        if (pieces.TryGetValue(parameter, out Piece[]? known))
            return known;
        IEnumerable<FileTensor>[] forms = [.. names.FormsOf(parameter)];
        IEnumerable<FileTensor> form = Array.Find(forms, form => StoredTensor.Exists(folder, form.First().Name)) ?? forms[0];
        List<Piece> result = [];
        foreach (FileTensor tensor in form)
        {
            if (!stored.TryGetValue(tensor.Name, out StoredTensor? whole))
                stored.Add(tensor.Name, whole = StoredTensor.Find(folder, tensor.Name, tensor.Shape.ToArray(), packing));
            unused.ExceptWith(whole.Names);
            TensorPart part = tensor.Part ?? new TensorPart(0, 1, tensor.Shape.Count, tensor.Shape.Count, 1);
            result.Add(new Piece(whole, part, tensor.Start));
        }

        Piece[] all = [.. result];
        pieces.Add(parameter, all);
        return all;
    }

    /// <summary>Whether pieces of one type in one file follow each other there as their elements do in the parameter.</summary>
    private bool LieTogether(Piece[] all)
    {
        SafetensorsEntry first = all[0].Tensor.Entry;
        long begin = first.Begin + (all[0].Part.Begin * first.ElementBytes);
        return Array.TrueForAll(all, piece =>
        {
            SafetensorsEntry entry = piece.Tensor.Entry;
            long place = entry.Begin + (piece.Part.Begin * entry.ElementBytes);
            return piece.Part.IsRun && entry.Type == first.Type && folder.AreInOneFile(entry, first)
                && place - begin == (long)piece.Start * first.ElementBytes;
        });
    }

    /// <summary>A tensor of the files, the part of it that is meant, and its first element in the parameter.</summary>
    private readonly record struct Piece(StoredTensor Tensor, TensorPart Part, int Start)
    {
        /// <summary>Reads elements of the part from <paramref name="first"/> on.</summary>
        public void Read(int first, Span<float> destination, Turned turned)
        {
            if (Part.IsRun)
            {
                Tensor.Read(Part.Begin + first, destination);
                return;
            }

            if (Part.ColumnStep == 1)
                ReadRows(first, destination);
            else
                ReadColumns(first, destination, turned);
        }

        /// <summary>Rows that lie apart.</summary>
        private void ReadRows(int first, Span<float> destination)
        {
            for (int done = 0; done < destination.Length;)
            {
                int at = first + done, row = at / Part.Columns, column = at % Part.Columns;
                int run = Math.Min(Part.Columns - column, destination.Length - done);
                Tensor.Read(Part.Begin + (row * Part.RowStep) + column, destination.Slice(done, run));
                done += run;
            }
        }

        /// <summary>A matrix that lies transposed: all of it is read once, and kept until another is wanted.</summary>
        private void ReadColumns(int first, Span<float> destination, Turned turned)
        {
            long line = Part.Begin / Part.ColumnStep * Part.ColumnStep;
            ReadOnlySpan<float> all = turned.Of(Tensor, line, checked((int)(Part.Columns * Part.ColumnStep)));
            int row = first / Part.Columns, column = first % Part.Columns;
            long from = Part.Begin - line;
            for (int i = 0; i < destination.Length; i++)
            {
                destination[i] = all[(int)(from + (row * Part.RowStep) + (column * Part.ColumnStep))];
                if (++column == Part.Columns)
                    (row, column) = (row + 1, 0);
            }
        }
    }

    /// <summary>The last part of a tensor that was read as a whole.</summary>
    private sealed class Turned
    {
        private StoredTensor? tensor;
        private long begin;
        private float[] values = [];

        public ReadOnlySpan<float> Of(StoredTensor wanted, long first, int count)
        {
            if (tensor != wanted || begin != first || values.Length < count)
            {
                if (values.Length < count)
                    values = new float[count];
                wanted.Read(first, values.AsSpan(0, count));
                (tensor, begin) = (wanted, first);
            }

            return values.AsSpan(0, count);
        }
    }
}
