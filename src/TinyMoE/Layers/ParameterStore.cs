using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>
/// All parameters of a model. Those that train lie in two flat blocks, weights and gradients: those that decay
/// first, so that the optimiser and the gradient's norm are a few long passes; and before all others those that
/// compute in bfloat16, which have their 16-bit values in a third block. A frozen parameter has storage of its own.
/// Layers add parameters as they are built; <see cref="Allocate"/> then gives each its place and first values.
/// </summary>
public sealed class ParameterStore : IDisposable
{
    private const int Alignment = 16; // elements: a cache line
    private const int HostBlock = 1024 * 1024; // first values drawn or read at a time: a piece for each of many cores, and 4 MB

    private readonly Backend? backend;
    private readonly List<Parameter> parameters = [];
    private readonly List<StateTensor> states = [];
    private readonly List<DeviceBuffer> buffers = [];
    private bool isAllocated;

    /// <summary>An empty store on <paramref name="backend"/>.</summary>
    public ParameterStore(Backend backend) => this.backend = backend;

    /// <summary>A store that only plans: parameters have names and shapes but never values.</summary>
    internal ParameterStore()
    {
    }

    /// <summary>The parameters, in the order they were added.</summary>
    public IReadOnlyList<Parameter> All => parameters;

    /// <summary>What is kept but not trained, in the order it was added.</summary>
    public IReadOnlyList<StateTensor> States => states;

    /// <summary>Number of weights.</summary>
    public long Count => parameters.Sum(p => (long)p.Count);

    /// <summary>All weights that train, padding between parameters included (it stays zero); none outside training.</summary>
    public FlatBlock<float> Weights { get; private set; }

    /// <summary>Those that compute in bfloat16, in 16 bits: the first <see cref="Bfloat16Length"/> of <see cref="Weights"/>.</summary>
    public FlatBlock<ushort> Bfloat16Weights { get; private set; }

    /// <summary>Number of weights in <see cref="Bfloat16Weights"/>, padding included.</summary>
    public long Bfloat16Length { get; private set; }

    /// <summary>All gradients, laid out as <see cref="Weights"/>.</summary>
    public FlatBlock<float> Gradients { get; private set; }

    /// <summary>How many leading elements of the blocks decay.</summary>
    public long DecayingLength { get; private set; }

    /// <summary>What products read of a matrix that is added and says nothing else; routers' are float32 whatever this is.</summary>
    internal ElementType MatrixPrecision { get; init; }

    internal Backend Backend => backend ?? throw new InvalidOperationException("This store only plans.");

    /// <summary>Most elements that one kernel gets of a block; tests make it small.</summary>
    internal int LargestChunk { get; init; } = FlatBlock.LargestChunk;

    /// <summary>
    /// Adds a parameter. Vectors do not decay; <paramref name="decays"/> false exempts a matrix too. Only a matrix that decays computes
    /// in bfloat16: where <paramref name="precision"/> says so, or, without it, the store.
    /// </summary>
    public Parameter Add(
        string name, Shape shape, Initializer initializer, ModelPart part = ModelPart.Other, bool decays = true,
        ElementType? precision = null)
    {
        if (isAllocated)
            throw new InvalidOperationException($"Parameter {name} came after Allocate.");
        bool isMatrix = decays && shape.Rank > 1;
        ElementType read = precision ?? (isMatrix && part != ModelPart.Router ? MatrixPrecision : ElementType.Float32);
        Parameter parameter = new(name, shape, initializer, part, isMatrix, read);
        parameters.Add(parameter);
        return parameter;
    }

    /// <summary>Adds values that are not trained; zeros unless <paramref name="initial"/> makes them from the run's seed.</summary>
    internal StateTensor AddState(string name, Shape shape, Func<ulong, float[]>? initial = null, bool saved = true)
    {
        StateTensor state = new(name, shape, initial, saved);
        states.Add(state);
        return state;
    }

    /// <summary>Freezes the parameters that <paramref name="which"/> says yes to, by name. Before <see cref="Allocate"/>.</summary>
    public void Freeze(Func<string, bool> which)
    {
        if (isAllocated)
            throw new InvalidOperationException("Freeze came after Allocate.");
        foreach (Parameter parameter in parameters)
            parameter.IsFrozen |= which(parameter.Name);
    }

    /// <summary>
    /// Gives every parameter its place, and its first values from <paramref name="source"/> or, without one, drawn from
    /// <paramref name="seed"/>. Not for <paramref name="training"/> all are frozen. A frozen matrix is kept as the source keeps it, and
    /// read where it lies if the device can; what computes in bfloat16 stays so.
    /// </summary>
    public void Allocate(ulong seed, bool training = true, IWeightSource? source = null)
    {
        Place(training, source);
        float[] host = HostMemory();
        for (int i = 0; i < parameters.Count && source is null; i++)
            Draw(parameters[i], i, seed, host);
        foreach (StateTensor state in states.Where(state => state.Initial is not null && (source is null || !state.IsSaved)))
            Backend.Write<float>(state.Initial!(seed), state.Data);
        if (source is not null)
            Load(source);
    }

    /// <summary>Sets all values from <paramref name="source"/>, other than those that are read where they lie in it.</summary>
    internal void Load(IWeightSource source)
    {
        float[] host = HostMemory();
        foreach (Parameter parameter in parameters)
        {
            ElementType given = source.TypeOf(parameter);
            if (!parameter.IsMapped)
                Load(parameter, given, source, host);
        }

        foreach (StateTensor state in states.Where(state => state.IsSaved))
        {
            float[] values = new float[state.Shape.Count];
            source.Read(state, values);
            Backend.Write<float>(values, state.Data);
        }
    }

    /// <summary>The part of <see cref="Allocate"/> that takes memory, which holds nothing yet.</summary>
    internal void Place(bool training, IWeightSource? source = null)
    {
        if (!training)
            Freeze(_ => true);
        isAllocated = true;
        Dictionary<Parameter, long> offsets = [];
        long length = 0;
        foreach (Group group in Enum.GetValues<Group>())
        {
            foreach (Parameter parameter in parameters.Where(p => !p.IsFrozen && GroupOf(p) == group))
            {
                offsets.Add(parameter, length);
                length += ((long)parameter.Count + Alignment - 1) / Alignment * Alignment;
            }

            if (group == Group.Bfloat16)
                Bfloat16Length = length;
            else if (group == Group.Decaying)
                DecayingLength = length;
        }

        if (length > 0)
            (Weights, Gradients) = (NewBlock(length), NewBlock(length));
        if (Bfloat16Length > 0)
            Bfloat16Weights = Rent<ushort>(Bfloat16Length);
        foreach (Parameter parameter in parameters)
        {
            if (offsets.TryGetValue(parameter, out long offset))
                parameter.Place(offset, Weights, Gradients, GroupOf(parameter) == Group.Bfloat16 ? Bfloat16Weights : default);
            else
                Keep(parameter, source);
        }

        foreach (StateTensor state in states)
            state.Data = NewVector(state.Shape.Count);
    }

    /// <summary>Sets the values of a parameter from <paramref name="first"/> on, in every precision that it is kept in.</summary>
    /// <exception cref="TinyMoEException">It is kept in float16, which cannot hold one of them.</exception>
    public void Write(Parameter parameter, int first, ReadOnlySpan<float> values)
    {
        if (parameter.IsMapped)
            throw new InvalidOperationException($"The values of {parameter.Name} lie in a file and may only be read.");
        int count = values.Length;
        bool isFloat32 = !parameter.Data.IsNone, isBfloat16 = parameter.Precision == ElementType.Bfloat16;
        if (isFloat32)
            Backend.Write(values, parameter.Data.Slice(first, count));
        if (parameter.Precision == ElementType.Float16)
            WriteFloat16(parameter, first, values);
        if (!isBfloat16)
            return;

        DeviceBuffer? passing = isFloat32 ? null : Backend.Pool.Rent((long)count * sizeof(float));
        Floats source = passing?.As<float>(count) ?? parameter.Data.Slice(first, count);
        if (passing is not null)
            Backend.Write(values, source);
        Backend.PackBfloat16(source, count, parameter.Bfloat16.Slice(first, count));
        if (passing is not null)
            Backend.Pool.Return(passing);
    }

    /// <summary>
    /// The values of a parameter from <paramref name="first"/> on, widened where they are kept in 16 bits only; waits for the device.
    /// </summary>
    public void Read(Parameter parameter, int first, Span<float> values)
    {
        Backends.Weights weights = parameter.Data.IsNone ? parameter.Weights : parameter.Data;
        int each = weights.LieApart ? parameter.Count / parameter.Shape[0] : Math.Max(1, parameter.Count);
        while (!values.IsEmpty)
        {
            var (matrix, start) = Math.DivRem(first, each);
            int count = Math.Min(values.Length, each - start);
            nint address = weights.AddressOf(matrix, each) + (nint)weights.Type.BytesOf(start);
            if (weights.Type == ElementType.Float32)
                Backend.Read(new Floats(address, count), values[..count]);
            else
                ReadNarrow(weights.Type, new View<ushort>(address, count), values[..count]);
            values = values[count..];
            first += count;
        }
    }

    /// <summary>A block laid out as <see cref="Weights"/>, zeroed; it lives with the store (the optimiser's moments).</summary>
    public FlatBlock<float> NewBlock() => NewBlock(Weights.Length);

    /// <summary>Zeros that live with the store.</summary>
    internal Floats NewVector(int length) => NewBlock(length).All;

    /// <summary>The chunks of the blocks from <paramref name="start"/> to before <paramref name="end"/>.</summary>
    internal IEnumerable<(long Start, int Length)> Chunks(long start, long end) => FlatBlock.Chunks(start, end, LargestChunk);

    /// <summary>Forgets all gradients: the next backward stores its own.</summary>
    public void ZeroGrad()
    {
        foreach (Parameter parameter in parameters)
            parameter.ZeroGrad();
    }

    /// <summary>Makes sure that backward reached every parameter that trains.</summary>
    /// <exception cref="InvalidOperationException">It names those it did not reach.</exception>
    public void RequireGradients()
    {
        if (parameters.TrueForAll(IsReached))
            return;
        string names = string.Join(", ", parameters.Where(p => !IsReached(p)).Select(p => p.Name));
        throw new InvalidOperationException($"No gradient reached {names}.");

        static bool IsReached(Parameter parameter) => parameter.IsFrozen || parameter.HasGrad;
    }

    /// <summary>The first parameter with a gradient that is not finite, or null; waits for the device. For diagnosis only.</summary>
    public string? FindNonFiniteGradient() =>
        parameters.FirstOrDefault(p => p.HasGrad && !Array.TrueForAll(Backend.Read(p.Grad), float.IsFinite))?.Name;

    /// <summary>The first parameter with a float32 weight that is not finite, or null; waits for the device.</summary>
    public string? FindNonFiniteWeight() =>
        parameters.FirstOrDefault(p => !p.Data.IsNone && !Array.TrueForAll(Backend.Read(p.Data), float.IsFinite))?.Name;

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in buffers)
            Backend.Pool.Return(buffer);
        buffers.Clear();
    }

    private static Group GroupOf(Parameter parameter) =>
        parameter.Precision == ElementType.Bfloat16 ? Group.Bfloat16 : parameter.Decays ? Group.Decaying : Group.Constant;

    /// <summary>Bytes of memory that a parameter takes when it is frozen: none where it is read in place.</summary>
    internal static long FrozenBytes(Parameter parameter, IWeightSource source, bool readsHostMemory)
    {
        ElementType given = source.TypeOf(parameter), kept = KeptAs(parameter, given);
        return kept == given && readsHostMemory && source.HasAddressOf(parameter) ? 0 : kept.BytesOf(parameter.Count);
    }

    /// <summary>Bytes of a frozen parameter that comes from a source, whether it is copied or read in place.</summary>
    internal static long KeptBytes(Parameter parameter, IWeightSource source) =>
        KeptAs(parameter, source.TypeOf(parameter)).BytesOf(parameter.Count);

    /// <summary>
    /// What a frozen parameter is kept in. Vectors, biases and routers are float32 whatever the source has: what reads them does not read
    /// 16 bits. What computes in bfloat16 is kept in it.
    /// </summary>
    private static ElementType KeptAs(Parameter parameter, ElementType given) =>
        parameter.Decays && parameter.Part != ModelPart.Router && parameter.Precision == ElementType.Float32 ? given : parameter.Precision;

    /// <summary>Storage of a frozen parameter.</summary>
    private void Keep(Parameter parameter, IWeightSource? source)
    {
        ElementType given = source?.TypeOf(parameter) ?? ElementType.Float32;
        ElementType kept = KeptAs(parameter, given);
        bool mayBeMapped = source is not null && kept == given && Backend.ReadsHostMemory;
        Backends.Weights mapped = mayBeMapped ? InPlace(parameter, given, source!) : default;
        if (!mapped.IsNone)
            parameter.Keep(mapped, isMapped: true);
        else if (kept == ElementType.Float32)
            parameter.Keep(Rent<float>(parameter.Count).All, isMapped: false);
        else
            parameter.Keep(Backends.Weights.Of(kept, Rent<ushort>(parameter.Count).All), isMapped: false);
    }

    /// <summary>A parameter where it lies in its source, together or matrix by matrix; none: it must be copied.</summary>
    private Backends.Weights InPlace(Parameter parameter, ElementType type, IWeightSource source)
    {
        if (source.AddressOf(parameter) is var address and not 0)
        {
            return type == ElementType.Float32
                ? new Floats(address, parameter.Count)
                : Backends.Weights.Of(type, new View<ushort>(address, parameter.Count));
        }

        if (parameter.Shape.Rank != 3 || source.AddressesOf(parameter) is not { } addresses)
            return default;
        View<nint> table = Rent<nint>(addresses.Length).All;
        addresses.CopyTo(table.Span); // where kernels read the host's memory, the store's is the host's too
        return Backends.Weights.Stack(type, table, parameter.Count);
    }

    /// <summary>To the nearest float16, on the host: it happens where other values are read than those that it was made for.</summary>
    private void WriteFloat16(Parameter parameter, int first, ReadOnlySpan<float> values)
    {
        ushort[] narrow = new ushort[values.Length];
        Float16.Narrow(values, narrow);
        if (!Float16.IsFiniteAll(narrow))
        {
            throw new TinyMoEException(
                $"{parameter.Name} is kept in float16, and a value is larger than {Float16.Largest}; use float32 or bfloat16 weights.");
        }

        Backend.Write<ushort>(narrow, parameter.Weights.Float16.Slice(first, values.Length));
    }

    private void ReadNarrow(ElementType type, View<ushort> bits, Span<float> values)
    {
        ushort[] narrow = Backend.Read(bits);
        if (type == ElementType.Float16)
            Float16.Widen(narrow, values);
        else
            Bfloat16.Widen(narrow, values);
    }

    /// <summary>Draws the values of parameter <paramref name="index"/>, block by block through <paramref name="host"/>.</summary>
    private void Draw(Parameter parameter, int index, ulong seed, float[] host)
    {
        for (int first = 0; first < parameter.Count; first += host.Length)
        {
            Memory<float> values = host.AsMemory(0, Math.Min(host.Length, parameter.Count - first));
            parameter.Initializer.Fill(values, first, seed, index);
            Write(parameter, first, values.Span);
        }
    }

    private void Load(Parameter parameter, ElementType given, IWeightSource source, float[] host)
    {
        bool asItIs = parameter.Data.IsNone && given == parameter.Precision;
        Span<ushort> narrow = MemoryMarshal.Cast<float, ushort>(host.AsSpan())[..host.Length];
        for (int first = 0; first < parameter.Count; first += host.Length)
        {
            int count = Math.Min(host.Length, parameter.Count - first);
            if (asItIs)
            {
                source.Read(parameter, first, narrow[..count]);
                View<ushort> bits = new(parameter.Weights.Address, parameter.Count);
                Backend.Write<ushort>(narrow[..count], bits.Slice(first, count));
            }
            else
            {
                source.Read(parameter, first, host.AsSpan(0, count));
                Write(parameter, first, host.AsSpan(0, count));
            }
        }
    }

    /// <summary>Room for a block of values on their way.</summary>
    private float[] HostMemory() => new float[parameters.Aggregate(0, (most, p) => Math.Max(most, Math.Min(HostBlock, p.Count)))];

    private FlatBlock<float> NewBlock(long length)
    {
        FlatBlock<float> block = Rent<float>(length);
        foreach ((long start, int count) in Chunks(0, length))
            Backend.Fill(block.Slice(start, count), 0f);
        return block;
    }

    private FlatBlock<T> Rent<T>(long length)
        where T : unmanaged
    {
        DeviceBuffer buffer = Backend.Pool.Rent(length * Unsafe.SizeOf<T>(), "weights, gradients and moments");
        buffers.Add(buffer);
        return new FlatBlock<T>(buffer, length);
    }

    /// <summary>What lies together in the blocks, in this order.</summary>
    private enum Group
    {
        Bfloat16, // decaying, with a copy in bfloat16
        Decaying,
        Constant, // not decaying
    }
}
