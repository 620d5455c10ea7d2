using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using TinyMoE.App;
using TinyMoE.Generate;

namespace TinyMoE.Web.Api;

/// <summary>What requests for completions and for chats say alike.</summary>
/// <param name="Sampling">How tokens are drawn; the seed is that of the first text.</param>
/// <param name="Count">Texts per prompt.</param>
/// <param name="Stop">Texts that end a text.</param>
/// <param name="Streams">Whether pieces are told as they come.</param>
/// <param name="TellsUsage">Whether a stream ends with what it took.</param>
internal sealed record Settings(SamplingOptions Sampling, int Count, string[] Stop, bool Streams, bool TellsUsage)
{
    /// <summary>Tokens of a text at most, whatever is asked for.</summary>
    public const int MostTokens = 65536;

    private const int MostTexts = 128, MostStops = 4;

    public static Settings Read(Fields fields, Serving serving)
    {
        if (fields.Text("model") is { } name && name != serving.Name)
            throw NoModel(name);
        const string NotHere = "is not done by this server; leave it out.";
        fields.Refuse("frequency_penalty", IsZero, NotHere);
        fields.Refuse("presence_penalty", IsZero, NotHere);
        fields.Refuse("logit_bias", bias => bias.ValueKind == JsonValueKind.Object && !bias.EnumerateObject().Any(), NotHere);
        fields.Ignore("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention");
        int count = fields.Whole("n", 1, MostTexts) ?? 1;
        SamplingOptions sampling = new()
        {
            Temperature = fields.Number("temperature", x => x >= 0, "of at least 0") ?? 1f,
            TopP = fields.Number("top_p", x => x is > 0 and <= 1, "above 0 and at most 1") ?? 1f,
            TopK = fields.Whole("top_k", 0, int.MaxValue) ?? 0,
            MinP = fields.Number("min_p", x => x is >= 0 and <= 1, "from 0 to 1") ?? 0f,
            RepetitionPenalty = fields.Number("repetition_penalty", x => x > 0, "above 0") ?? 1f,
            Seed = fields.Seed("seed") ?? BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))),
        };
        bool streams = fields.Flag("stream");
        return new Settings(sampling, count, fields.Texts("stop", MostStops), streams, TellsUsageOf(fields, streams));
    }

    /// <summary>Another model was named.</summary>
    public static ApiError NoModel(string name) => new(StatusCodes.Status404NotFound,
        $"The model '{Text.OneLine(name)}' does not exist; GET /v1/models says which does.", "model", "model_not_found");

    public static bool IsZero(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double x) && x == 0;

    /// <summary>The texts of one prompt, which differ by their seeds.</summary>
    public IEnumerable<TextRequest> Texts(TextRequest text) => Enumerable.Range(0, Count).Select(i => text with
    {
        StopTexts = Stop,
        Sampling = Sampling with { Seed = unchecked(Sampling.Seed + (ulong)i) },
    });

    /// <summary>Refuses prompts that are longer than the context: what does not fit would not be read.</summary>
    public static void CheckLength(int tokens, int most, string param)
    {
        if (tokens <= most)
            return;
        throw ApiError.Bad(param, $"There are {tokens} tokens to read, and the model's context has room for {most} of them; say it in "
            + "fewer words.", "context_length_exceeded");
    }

    private static bool TellsUsageOf(Fields fields, bool streams)
    {
        if (fields.Find("stream_options") is not { } options)
            return false;
        if (!streams)
            throw ApiError.Bad("stream_options", "'stream_options' is for requests with \"stream\": true.");
        if (options.ValueKind != JsonValueKind.Object)
            throw ApiError.Bad("stream_options", "'stream_options' must be an object.");
        bool tells = false;
        foreach (JsonProperty option in options.EnumerateObject())
        {
            if (option.Name is not ("include_usage" or "include_obfuscation") || option.Value.ValueKind is not
                (JsonValueKind.True or JsonValueKind.False or JsonValueKind.Null))
            {
                throw ApiError.Bad("stream_options", "'stream_options' can have include_usage, true or false.");
            }

            tells |= option.Name == "include_usage" && option.Value.ValueKind == JsonValueKind.True;
        }

        return tells;
    }
}
