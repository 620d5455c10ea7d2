using System.Buffers;
using System.Text.Json;
using TinyMoE.Inspect;

namespace TinyMoE.App;

/// <summary>A trace as lines of JSON: one object per token, with its layers and their choices nested in it.</summary>
internal sealed class TraceJson : ITraceWriter
{
    private const int FlushedAt = 1 << 16;

    private readonly Stream stream;
    private readonly TraceWords words;
    private readonly int probabilities;
    private readonly ArrayBufferWriter<byte> buffer = new(2 * FlushedAt);
    private readonly Utf8JsonWriter json;

    /// <summary>Writes into a stream; of the router's probabilities the <paramref name="probabilities"/> largest.</summary>
    public TraceJson(Stream stream, TraceWords words, int probabilities)
    {
        (this.stream, this.words, this.probabilities) = (stream, words, probabilities);
        json = new Utf8JsonWriter(buffer);
    }

    /// <inheritdoc/>
    public long Rows { get; private set; }

    /// <inheritdoc/>
    public void Write(TraceBatch batch)
    {
        int[][] likeliest = [.. batch.Layers.Select(layer => TraceExperts.Likeliest(layer, probabilities))];
        for (int n = 0; n < batch.Ids.Length; n++)
        {
            if (!batch.Traced[n])
                continue;
            json.WriteStartObject();
            WriteToken(batch, n);
            json.WriteStartArray("layers");
            for (int l = 0; l < batch.Layers.Count; l++)
                WriteLayer(batch.Layers[l], n, likeliest[l]);
            json.WriteEndArray();
            if (batch.Heads.Count > 0)
                WriteHeads(batch, n);
            json.WriteEndObject();
            json.Flush();
            json.Reset();
            buffer.Write("\n"u8);
            Rows++;
            if (buffer.WrittenCount >= FlushedAt)
                WriteBuffer();
        }
    }

    /// <inheritdoc/>
    public void Finish() => WriteBuffer();

    /// <inheritdoc/>
    public void Dispose() => json.Dispose();

    private void WriteToken(TraceBatch batch, int n)
    {
        json.WriteNumber("window", batch.FirstWindow + n / batch.T);
        json.WriteNumber("position", n % batch.T);
        json.WriteNumber("id", batch.Ids[n]);
        json.WriteString("token", words.Token(batch.Ids[n]));
        if (batch.Labels.Length > 0 && words.HasLabels)
            json.WriteString("label", words.Label(batch.Labels[n]));
        WriteNumber("loss", batch.Losses[n]);
        WriteWhole("rank", batch.Ranks[n] == 0 ? null : batch.Ranks[n]);
        WriteWhole("next_id", batch.NextIds[n] < 0 ? null : batch.NextIds[n]);
        WriteNumber("next_loss", batch.NextLosses[n]);
        if (batch.Predictions == 0)
            return;
        json.WriteStartArray("predictions");
        for (int i = n * batch.Predictions; i < (n + 1) * batch.Predictions; i++)
        {
            json.WriteStartObject();
            json.WriteNumber("id", batch.PredictedIds[i]);
            json.WriteString("token", words.Token(batch.PredictedIds[i]));
            json.WriteNumber("probability", batch.PredictedProbabilities[i]);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private void WriteLayer(TraceLayer layer, int n, int[] likeliest)
    {
        json.WriteStartObject();
        json.WriteNumber("layer", layer.Layer);
        WriteNumber("logit_norm", layer.LogitNorm?[n] ?? float.NaN);
        WriteNumber("entropy", layer.Entropy?[n] ?? float.NaN);
        json.WriteStartArray("choices");
        for (int i = layer.Offsets[n]; i < layer.Offsets[n + 1]; i++)
        {
            json.WriteStartObject();
            json.WriteNumber("expert", layer.Expert[i]);
            json.WriteBoolean("served", layer.Served[i]);
            json.WriteNumber("gate", layer.Gate[i]);
            WriteNumber("probability", layer.Probabilities?[n * layer.Experts + layer.Expert[i]] ?? float.NaN);
            WriteNumber("output_norm", layer.OutputNorm[i]);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        int most = likeliest.Length / (layer.Offsets.Length - 1);
        if (most > 0)
        {
            json.WriteStartArray("probabilities");
            foreach (int e in likeliest.AsSpan(n * most, most))
            {
                json.WriteStartObject();
                json.WriteNumber("expert", e);
                json.WriteNumber("probability", layer.Probabilities![n * layer.Experts + e]);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private void WriteHeads(TraceBatch batch, int n)
    {
        json.WriteStartArray("heads");
        foreach (TraceHeads of in batch.Heads)
        {
            for (int i = n * of.Heads * of.Active; i < (n + 1) * of.Heads * of.Active; i++)
            {
                json.WriteStartObject();
                json.WriteNumber("layer", of.Layer);
                json.WriteString("part", of.OfOutputs ? TraceExperts.OfOutputs : TraceExperts.OfValues);
                json.WriteNumber("head", i / of.Active % of.Heads);
                json.WriteNumber("expert", of.Expert[i]);
                json.WriteNumber("gate", of.Gate[i]);
                json.WriteEndObject();
            }
        }

        json.WriteEndArray();
    }

    private void WriteNumber(string name, float value)
    {
        if (float.IsNaN(value))
            json.WriteNull(name);
        else
            json.WriteNumber(name, value);
    }

    private void WriteWhole(string name, int? value)
    {
        if (value is { } known)
            json.WriteNumber(name, known);
        else
            json.WriteNull(name);
    }

    private void WriteBuffer()
    {
        stream.Write(buffer.WrittenSpan);
        buffer.ResetWrittenCount();
    }
}
