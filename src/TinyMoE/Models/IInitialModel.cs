using TinyMoE.Backends;
using TinyMoE.Configuration;

namespace TinyMoE.Models;

/// <summary>A trained model, of a run or of others, whose weights a new run can begin with.</summary>
internal interface IInitialModel : IDisposable
{
    /// <summary>The folder, as it was given.</summary>
    string Folder { get; }

    /// <summary>What it is, in words: "step 300", "a model of family olmoe".</summary>
    string Origin { get; }

    /// <summary>Its configuration.</summary>
    RunConfig Config { get; }

    /// <summary>What a person should know of its files.</summary>
    IReadOnlyList<string> Notes { get; }

    /// <summary>Files that say how it is used, by name, which a run that begins with it keeps.</summary>
    IReadOnlyDictionary<string, byte[]> Companions { get; }

    /// <summary>Makes sure, before anything is built, that it has the weights of a configuration.</summary>
    /// <exception cref="TinyMoEException">It names a tensor that is not there, or has another shape.</exception>
    void RequireWeights(RunConfig config);

    /// <summary>Builds a model of <paramref name="config"/> that trains and begins with the weights of this one.</summary>
    Decoder LoadInitial(Backend backend, RunConfig config);
}
