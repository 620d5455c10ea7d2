using System.Globalization;
using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Cuda;

namespace TinyMoE.App;

/// <summary>The device that computes: the processor, or a CUDA card.</summary>
/// <param name="Card">Number of the card; null: the processor.</param>
/// <param name="Threads">Threads of the processor; 0: all cores. A card does not use it.</param>
/// <param name="TensorCores">What a card may round for speed.</param>
/// <param name="Grouped">How a card multiplies for experts.</param>
/// <param name="Graph">Whether a card launches the steps of a training as graphs.</param>
public sealed record DeviceChoice(
    int? Card = null, int Threads = 0, TensorCores TensorCores = default, GroupedProducts Grouped = default, GraphUse Graph = default)
{
    /// <summary>Whether it is the processor, with more than one thread.</summary>
    internal bool UsesSeveralThreads => Card is null && (Threads == 0 ? Environment.ProcessorCount : Threads) > 1;

    /// <summary>Opens the device; whoever opens it disposes of it.</summary>
    /// <exception cref="TinyMoEException">There is no such card, or it cannot be used.</exception>
    public Backend Open() => Card is { } card
        ? new CudaBackend(card, new CudaOptions { TensorCores = TensorCores, Grouped = Grouped, Graph = Graph })
        : new CpuBackend(Threads);

    /// <summary>Opens it for a model, which computes as it was trained: one of train.precision=tf32 in TF32 where a card does it.</summary>
    /// <exception cref="TinyMoEException">There is no such card, it cannot be used, or its settings exclude each other.</exception>
    public Backend Open(RunConfig config)
    {
        RequireGraph(config);
        return config.Train.Precision == TrainPrecision.Tf32 && TensorCores == TensorCores.Off
            ? (this with { TensorCores = TensorCores.Tf32 }).Open()
            : Open();
    }

    /// <summary>Opens it to train a model.</summary>
    /// <exception cref="TinyMoEException">There is no such card, it cannot be used, or it cannot train the model so.</exception>
    public Backend OpenToTrain(RunConfig config)
    {
        RequireToTrain(config);
        return Open(config);
    }

    /// <summary>Refuses, before anything is opened, what cannot train a model: a precision that the processor has not, and steps that must
    /// be graphs and have to wait for the rows of each expert.</summary>
    /// <exception cref="TinyMoEException">It cannot; the message says what to do.</exception>
    public void RequireToTrain(RunConfig config)
    {
        if (config.Train.Precision == TrainPrecision.Tf32 && Card is null)
            throw new TinyMoEException("train.precision=tf32 needs a CUDA card, and this run is on the processor, which has float32 and "
                + "bfloat16; name a card (--device cuda), or set train.precision=float32");
        RequireGraph(config);
    }

    /// <summary>Refuses steps that must be graphs and have to wait for the rows of each expert.</summary>
    private void RequireGraph(RunConfig config)
    {
        bool hasExperts = config.Moe.Experts > 0 || config.Attention.Kind == AttentionKind.SwitchHead;
        if (hasExperts && Graph == GraphUse.On && Grouped is (GroupedProducts.Cublas or GroupedProducts.Loop))
            throw new TinyMoEException($"--graph on and --grouped {Grouped.ToString().ToLowerInvariant()} exclude each other: cuBLAS needs "
                + "the rows of each expert on the host, which a graph does not wait for; leave --grouped out, or use --graph auto.");
    }
}

/// <summary>A request for a device by its name (cpu, cuda, cuda:N or auto), with the settings of the processor and of a card.</summary>
/// <param name="Name">The name; <c>cuda</c> is the first card, <c>auto</c> the first card where one is usable, else the processor.</param>
/// <param name="Threads">Threads of the processor; 0: all cores.</param>
/// <param name="TensorCores">What a card may round for speed.</param>
/// <param name="Grouped">How a card multiplies for experts.</param>
/// <param name="Graph">Whether a card launches the steps of a training as graphs.</param>
public sealed record DeviceRequest(
    string Name = DeviceRequest.Cpu, int Threads = 0, TensorCores TensorCores = default, GroupedProducts Grouped = default,
    GraphUse Graph = default)
{
    /// <summary>The name of the processor.</summary>
    public const string Cpu = "cpu";

    /// <summary>The name of the first card, and the beginning of every card's name.</summary>
    public const string Cuda = "cuda";

    /// <summary>The name that takes the first card where one is usable, else the processor.</summary>
    public const string Auto = "auto";

    /// <summary>All names of devices, in words.</summary>
    public const string Known = "cpu, cuda, cuda:N (N from 0), auto";

    /// <summary>Whether a device can have this name.</summary>
    public static bool IsKnown(string name) => name is Cpu or Cuda or Auto || CardOf(name) is not null;

    /// <summary>The device of this name; what <c>auto</c> takes is told to <paramref name="onAuto"/>.</summary>
    /// <exception cref="TinyMoEException">No device has this name.</exception>
    public DeviceChoice Choose(Action<AutoDevice>? onAuto = null)
    {
        if (!IsKnown(Name))
            throw new RequestException($"{Setting.Device} has no '{Name}'; known: {Known}");
        DeviceChoice processor = new(Threads: Threads),
            card = new(CardOf(Name) ?? 0, TensorCores: TensorCores, Grouped: Grouped, Graph: Graph);
        if (Name != Auto)
            return Name == Cpu ? processor : card;
        AutoDevice found = Try(card);
        onAuto?.Invoke(found);
        return found.Card is null ? processor : card;
    }

    private static AutoDevice Try(DeviceChoice card)
    {
        try
        {
            using Backend device = card.Open();
            return new AutoDevice(device.Name, null);
        }
        catch (CudaFailure e)
        {
            return new AutoDevice(null, e.Message);
        }
    }

    /// <summary>The N of cuda:N; null where the name is no such name.</summary>
    private static int? CardOf(string name)
    {
        if (!name.StartsWith(Cuda + ":", StringComparison.Ordinal))
            return null;
        string number = name[(Cuda.Length + 1)..];
        return int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int card) ? card : null;
    }
}

/// <summary>Says which device <c>auto</c> took, and why.</summary>
/// <param name="Card">The card, in words; null: the processor.</param>
/// <param name="Failure">Why there is no usable card, in one line; null where there is one.</param>
public sealed record AutoDevice(string? Card, string? Failure);
