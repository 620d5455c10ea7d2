using System.Runtime.CompilerServices;
using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>
/// All parameters of a model in two flat blocks, weights and gradients: those that decay first, so that the optimiser and the gradient's norm are
/// a few long passes; and before all others those that compute in bfloat16, which have their 16-bit values in a third block. Layers add parameters as they are built; <see cref="Allocate"/> then gives each its place and first values.
/// </summary>
public sealed class ParameterStore : IDisposable
{
    private const int Alignment = 16; // elements: a cache line
    private const int BlockSize = 16 * 1024; // first values drawn at a time

    private readonly Backend? backend;
    private readonly List<Parameter> parameters = [];
    private readonly List<StateTensor> states = [];
    private readonly List<DeviceBuffer> buffers = [];

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

    /// <summary>All weights, padding between parameters included (it stays zero).</summary>
    public Floats Weights { get; private set; }

    /// <summary>Those that compute in bfloat16, in 16 bits: the first <see cref="Bfloat16Length"/> of the weights in training, in their place elsewhere.</summary>
    public Bfloat16s Bfloat16Weights { get; private set; }

    /// <summary>Number of weights in <see cref="Bfloat16Weights"/>, padding included.</summary>
    public int Bfloat16Length { get; private set; }

    /// <summary>All gradients, laid out as the weights; none outside training.</summary>
    public Floats Gradients { get; private set; }

    /// <summary>How many leading elements of the blocks decay.</summary>
    public int DecayingLength { get; private set; }

    internal Backend Backend => backend ?? throw new InvalidOperationException("This store only plans.");

    /// <summary>Adds a parameter. Vectors do not decay; <paramref name="decays"/> false exempts a matrix too. Only a matrix that decays computes in bfloat16.</summary>
    public Parameter Add(string name, Shape shape, Initializer initializer, bool decays = true, ElementType precision = ElementType.Float32)
    {
        if (!Weights.IsNone)
            throw new InvalidOperationException($"Parameter {name} came after Allocate.");
        Parameter parameter = new(name, shape, initializer, decays && shape.Rank > 1, precision);
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

    /// <summary>
    /// Makes the blocks, gives every parameter its place and draws its first values from <paramref name="seed"/>. Not for <paramref name="training"/> there are no
    /// gradients, and what computes in bfloat16 has no float32 values.
    /// </summary>
    public void Allocate(ulong seed, bool training = true)
    {
        int length = 0;
        int[] offsets = new int[parameters.Count];
        foreach (Group group in Enum.GetValues<Group>())
        {
            for (int i = 0; i < parameters.Count; i++)
            {
                if (GroupOf(parameters[i]) != group)
                    continue;
                offsets[i] = length;
                long end = length + ((long)parameters[i].Count + Alignment - 1) / Alignment * Alignment;
                if (end > int.MaxValue)
                    throw new TinyMoEException($"The model has {Count:N0} weights, more than the {int.MaxValue:N0} that one run can hold; make it smaller.");
                length = (int)end;
            }

            if (group == Group.Bfloat16)
                (Bfloat16Length, length) = (length, training ? length : 0);
            else if (group == Group.Decaying)
                DecayingLength = length;
        }

        Weights = NewBlock(length);
        Gradients = training ? NewBlock(length) : default;
        Bfloat16Weights = Bfloat16Length > 0 ? Rent<ushort>(Bfloat16Length) : default;
        float[] block = new float[BlockSize];
        for (int i = 0; i < parameters.Count; i++)
        {
            Parameter parameter = parameters[i];
            bool isBfloat16 = parameter.Precision == ElementType.Bfloat16;
            parameter.Place(offsets[i], isBfloat16 && !training ? default : Weights, Gradients, isBfloat16 ? Bfloat16Weights : default);
            for (int first = 0; first < parameter.Count; first += BlockSize)
            {
                Span<float> values = block.AsSpan(0, Math.Min(BlockSize, parameter.Count - first));
                parameter.Initializer.Fill(values, first, seed, i);
                Write(parameter, first, values);
            }
        }

        foreach (StateTensor state in states)
        {
            state.Data = NewBlock(state.Shape.Count);
            if (state.Initial is not null)
                Backend.Write<float>(state.Initial(seed), state.Data);
        }
    }

    /// <summary>Sets the values of a parameter from <paramref name="first"/> on, in every precision that it is kept in.</summary>
    public void Write(Parameter parameter, int first, ReadOnlySpan<float> values)
    {
        int count = values.Length;
        bool isFloat32 = !parameter.Data.IsNone, isBfloat16 = parameter.Precision == ElementType.Bfloat16;
        if (isFloat32)
            Backend.Write(values, parameter.Data.Slice(first, count));
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

    /// <summary>A block as long as the weights, zeroed; it lives with the store (the optimiser's moments).</summary>
    public Floats NewBlock() => NewBlock(Weights.Length);

    /// <summary>A block of zeros that lives with the store.</summary>
    internal Floats NewBlock(int length)
    {
        Floats block = Rent<float>(length);
        Backend.Fill(block, 0f);
        return block;
    }

    /// <summary>Forgets all gradients: the next backward stores its own.</summary>
    public void ZeroGrad()
    {
        foreach (Parameter parameter in parameters)
            parameter.ZeroGrad();
    }

    /// <summary>Makes sure that backward reached every parameter.</summary>
    /// <exception cref="InvalidOperationException">It names those it did not reach.</exception>
    public void RequireGradients()
    {
        foreach (Parameter parameter in parameters)
        {
            if (!parameter.HasGrad)
            {
                string names = string.Join(", ", parameters.Where(p => !p.HasGrad).Select(p => p.Name));
                throw new InvalidOperationException($"No gradient reached {names}.");
            }
        }
    }

    /// <summary>The first parameter with a gradient that is not finite, or null; waits for the device. For diagnosis only.</summary>
    public string? FindNonFiniteGradient() =>
        parameters.FirstOrDefault(p => p.HasGrad && !Array.TrueForAll(Backend.Read(p.Grad), float.IsFinite))?.Name;

    /// <summary>The first parameter with a weight that is not finite, or null; waits for the device.</summary>
    public string? FindNonFiniteWeight() =>
        parameters.FirstOrDefault(p => !Array.TrueForAll(Backend.Read(p.Data), float.IsFinite))?.Name;

    /// <summary>Gives the blocks back.</summary>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in buffers)
            Backend.Pool.Return(buffer);
        buffers.Clear();
    }

    private static Group GroupOf(Parameter parameter) =>
        parameter.Precision == ElementType.Bfloat16 ? Group.Bfloat16 : parameter.Decays ? Group.Decaying : Group.Constant;

    private View<T> Rent<T>(int length)
        where T : unmanaged
    {
        DeviceBuffer buffer = Backend.Pool.Rent((long)length * Unsafe.SizeOf<T>(), "weights, gradients and moments");
        buffers.Add(buffer);
        return buffer.As<T>(length);
    }

    /// <summary>What lies together in the blocks, in this order.</summary>
    private enum Group
    {
        Bfloat16, // decaying, with a copy in bfloat16
        Decaying,
        Constant, // not decaying
    }
}
