using System.Text.Json;
using System.Text.Json.Serialization;

namespace TinyMoE.Examples.UnderstandingMoe;

/// <summary>The numbers of the experiment, as config.json has them.</summary>
/// <param name="Seeds">Each draws its own data, first weights and noise.</param>
/// <param name="Data">The examples.</param>
/// <param name="Single">The models of one network.</param>
/// <param name="Mixture">The models of several.</param>
internal sealed record Setting(int[] Seeds, DataSetting Data, SingleSetting Single, MixtureSetting Mixture)
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <exception cref="TinyMoEException">The file is not there, is no JSON, or lacks a number.</exception>
    public static Setting Load(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<Setting>(File.ReadAllText(path), Options) ?? throw new JsonException("it is null");
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new TinyMoEException(
                $"{path} does not have the numbers of this experiment, as examples/studies/understanding-moe/config.json "
                    + $"has them: {e.Message}", e);
        }
    }
}

/// <param name="Examples">Examples to learn, and as many to test.</param>
/// <param name="Clusters">Clusters, each with a feature and a centre; all directions are orthonormal.</param>
/// <param name="Patch">Length of a patch.</param>
/// <param name="Scale">What all of it is multiplied by.</param>
/// <param name="Feature">Range of the length of the patch that tells the class.</param>
/// <param name="Center">Range of the length of the patch that tells the cluster.</param>
/// <param name="Distractor">Range of the length of the patch with another cluster's feature.</param>
internal sealed record DataSetting(int Examples, int Clusters, int Patch, float Scale, float[] Feature, float[] Center, float[] Distractor);

/// <param name="Filters">Filters per class.</param>
/// <param name="Epochs">Steps, each on all examples.</param>
/// <param name="LinearRate">Adam's learning rate for the linear model.</param>
/// <param name="NonlinearRate">Adam's learning rate for the cubic model.</param>
/// <param name="WeightDecay">Added to the gradient, times the weight.</param>
internal sealed record SingleSetting(int Filters, int Epochs, float LinearRate, float NonlinearRate, float WeightDecay);

/// <param name="Experts">Experts, E; each example goes to one.</param>
/// <param name="Filters">Filters per class, of each expert.</param>
/// <param name="InitialScale">What the experts' first weights are multiplied by.</param>
/// <param name="Noise">In training, uniform noise from 0 to this is added to the router's logits.</param>
/// <param name="Epochs">Most steps, each on all examples.</param>
/// <param name="StopAtLoss">Training ends when the loss is this or less.</param>
/// <param name="ExpertRate">Length of an expert's step.</param>
/// <param name="RouterRate">The router's learning rate.</param>
internal sealed record MixtureSetting(
    int Experts, int Filters, float InitialScale, float Noise, int Epochs, float StopAtLoss, float ExpertRate, float RouterRate);
