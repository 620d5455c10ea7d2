using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Configuration;
using TinyMoE.Families.Config;
using TinyMoE.Files;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Families;

/// <summary>
/// Writes a model as Hugging Face's hubs have it: <c>config.json</c>, <c>generation_config.json</c>, and the weights in safetensors files
/// under the names of its family. What a family cannot say is refused before anything is written.
/// </summary>
internal sealed class HubExport
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly Family family;
    private readonly RunConfig config;
    private readonly JsonObject said;

    private HubExport(Family family, RunConfig config, JsonObject said) => (this.family, this.config, this.said) = (family, config, said);

    /// <summary>The family that it is written as.</summary>
    public string FamilyName => family.Name;

    /// <summary>Finds the family that says a model; <paramref name="name"/> asks for one.</summary>
    /// <exception cref="TinyMoEException">There is none, or it cannot say the model; the message names the keys.</exception>
    public static HubExport Of(RunConfig config, string? name = null)
    {
        Family family = name is null ? FamilyConfigs.Choose(config) : Family.Of(name);
        return new HubExport(family, config, FamilyConfigs.Write(family, config));
    }

    /// <summary>
    /// Writes the files into an empty folder. <paramref name="type"/>: how weights are kept, all alike; null: as <paramref name="source"/>
    /// keeps them. What a router keeps beside its weights stays float32.
    /// </summary>
    public void Write(string folder, IWeightSource source, GenerationDefaults generation, SafetensorsType? type, long shardSize)
    {
        List<ExportTensor> tensors = Tensors(config, family.Names(config), source, type);
        JsonObject file = (JsonObject)said.DeepClone();
        SafetensorsType most = tensors.GroupBy(tensor => tensor.Type).MaxBy(group => group.Count())!.Key;
        file["torch_dtype"] = most.ToString().ToLowerInvariant();
        WriteIds(file, generation);
        WriteJson(Path.Combine(folder, "config.json"), file);
        WriteJson(Path.Combine(folder, "generation_config.json"), Generation(generation));
        SafetensorsExport.Write(folder, tensors, shardSize);
    }

    private static void WriteJson(string path, JsonObject json) => AtomicFile.WriteText(path, json.ToJsonString(Indented) + "\n");

    /// <summary>The ids that begin and end a text, which config.json and generation_config.json both have.</summary>
    private static void WriteIds(JsonObject file, GenerationDefaults generation)
    {
        file["bos_token_id"] = generation.BeginId;
        file["eos_token_id"] = generation.StopIds.Count switch
        {
            0 => null,
            1 => generation.StopIds[0],
            _ => new JsonArray([.. generation.StopIds.Select(id => (JsonNode)id)]),
        };
        if (generation.PadId is { } pad)
            file["pad_token_id"] = pad;
    }

    /// <summary>What generation_config.json says.</summary>
    internal static JsonObject Generation(GenerationDefaults generation)
    {
        JsonObject file = [];
        WriteIds(file, generation);
        Put("do_sample", generation.Draws);
        Put("temperature", generation.Temperature);
        Put("top_k", generation.TopK);
        Put("top_p", generation.TopP);
        Put("min_p", generation.MinP);
        Put("repetition_penalty", generation.RepetitionPenalty);
        if (generation.StopTexts.Count > 0)
            file["stop_strings"] = new JsonArray([.. generation.StopTexts.Select(text => (JsonNode)text)]);
        return file;

        void Put<T>(string name, T? value)
        {
            if (value is not null)
                file[name] = JsonValue.Create(value);
        }
    }

    /// <summary>
    /// The tensors of a model's files under some names, in the order of the model; those that hold several parameters once.
    /// </summary>
    public static List<ExportTensor> Tensors(RunConfig config, TensorNames names, IWeightSource source, SafetensorsType? type = null)
    {
        ParameterStore plan = Decoder.PlanStore(config);
        List<ExportTensor> tensors = [];
        Dictionary<string, Packed> packed = [];
        foreach (Parameter parameter in plan.All)
        {
            SafetensorsType kept = type ?? TypeOf(source.TypeOf(parameter));
            foreach (FileTensor tensor in names.Of(parameter))
            {
                if (tensor.Part is null)
                {
                    tensors.Add(new ExportTensor(tensor.Name, tensor.Shape.ToArray(), kept, (first, values) =>
                        source.Read(parameter, tensor.Start + (int)first, values)));
                    continue;
                }

                if (!packed.TryGetValue(tensor.Name, out Packed? whole))
                {
                    packed.Add(tensor.Name, whole = new Packed(source, tensor.Shape, parameter));
                    tensors.Add(new ExportTensor(tensor.Name, tensor.Shape.ToArray(), kept, whole.Read));
                }

                whole.Add(parameter, tensor);
            }
        }

        foreach (StateTensor state in plan.States.Where(state => state.IsSaved))
        {
            float[] values = new float[state.Shape.Count];
            source.Read(state, values);
            tensors.Add(new ExportTensor(names.Of(state.Name), state.Shape.ToArray(), SafetensorsType.Float32, (first, destination) =>
                values.AsSpan((int)first, destination.Length).CopyTo(destination)));
        }

        return tensors;
    }

    private static SafetensorsType TypeOf(ElementType type) => type switch
    {
        ElementType.Float32 => SafetensorsType.Float32,
        ElementType.Bfloat16 => SafetensorsType.Bfloat16,
        ElementType.Float16 => SafetensorsType.Float16,
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    /// <summary>A tensor of the files that parts of several parameters make up; it is made expert by expert.</summary>
    private sealed class Packed
    {
        private readonly IWeightSource source;
        private readonly long regionLength; // elements of an expert
        private readonly List<(Parameter Parameter, FileTensor Tensor)> parts = [];
        private float[] region = [];
        private long made = -1; // the expert that the region holds

        public Packed(IWeightSource source, Shape shape, Parameter first)
        {
            this.source = source;
            bool isStack = first.Part is ModelPart.Experts;
            regionLength = shape.Count / (isStack ? shape[0] : 1);
        }

        public void Add(Parameter parameter, FileTensor tensor) => parts.Add((parameter, tensor));

        /// <summary>Elements of the tensor from <paramref name="first"/> on.</summary>
        public void Read(long first, Span<float> destination)
        {
            for (int done = 0; done < destination.Length;)
            {
                long at = first + done, expert = at / regionLength;
                if (expert != made)
                    Make(expert);
                int from = (int)(at - (expert * regionLength)), count = (int)Math.Min(regionLength - from, destination.Length - done);
                region.AsSpan(from, count).CopyTo(destination[done..]);
                done += count;
            }
        }

        private void Make(long expert)
        {
            if (region.Length == 0)
                region = new float[regionLength];
            foreach ((Parameter parameter, FileTensor tensor) in parts)
            {
                if (tensor.Part!.Value.Begin / regionLength != expert)
                    continue;
                TensorPart part = tensor.Part!.Value;
                float[] values = new float[part.Count];
                source.Read(parameter, tensor.Start, values);
                long begin = part.Begin - (expert * regionLength);
                for (int row = 0, i = 0; row < part.Rows; row++)
                {
                    for (int column = 0; column < part.Columns; column++)
                        region[begin + (row * part.RowStep) + (column * part.ColumnStep)] = values[i++];
                }
            }

            made = expert;
        }
    }
}
