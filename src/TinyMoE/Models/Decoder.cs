using TinyMoE.Attention;
using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Models;

/// <summary>
/// A decoder-only transformer: embedding, L blocks of x + Attention(Norm(x)) and x + FeedForward(Norm(x)), a norm, a head. The
/// feed-forward is dense or a mixture of experts, layer by layer as configured; Granite's multipliers stand at the embedding, at what each
/// sublayer adds, and at the logits. Names of parameters say what they are; what a file calls
/// them is a matter of its family (<c>Families</c>).
/// </summary>
public sealed partial class Decoder : IDisposable
{
    private readonly RotaryTable? rotary;
    private readonly Parameter embedding;
    private readonly Parameter? positions;
    private readonly Block[] blocks;
    private readonly Norm norm;
    private readonly Parameter head;
    private readonly Parameter? headBias;

    /// <summary>
    /// Builds the model on <paramref name="backend"/>. Its weights come from <paramref name="weights"/>, which must live as long as the
    /// model, or without it are drawn from the seed. Not for <paramref name="training"/> all of them are frozen; in training those are that
    /// <c>train.trainable</c> leaves out, and that <paramref name="frozen"/> says yes to, by name.
    /// </summary>
    public Decoder(
        Backend backend, RunConfig config, bool training = true, Func<string, bool>? frozen = null, IWeightSource? weights = null)
        : this(new ParameterStore(backend) { MatrixPrecision = config.Train.ActivationType }, config)
    {
        try
        {
            rotary?.Allocate(backend);
            Parameters.Freeze(frozen ?? (_ => false));
            bool widens = training && frozen is null && weights is not null;
            Parameters.Allocate(config.Train.Seed, training, widens ? new WidenedWeights(weights!) : weights);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private Decoder(ParameterStore store, RunConfig config)
    {
        Config = config;
        Parameters = store;
        ModelConfig model = config.Model;
        int V = model.Vocabulary, C = model.Width;
        if (V < 1)
            throw new ArgumentException("model.vocabulary must be set before the model is built.");
        WeightInit init = new(model);
        bool rotates = model.Positions == PositionKind.Rope;
        rotary = rotates ? new RotaryTable(model, config.Attention, config.Attention.RopeSizeOrAll(C)) : null;
        embedding = Parameters.Add("embedding.weight", (V, C), init.Embedding(), ModelPart.Embedding);
        if (!rotates)
            positions = Parameters.Add("positions.weight", (model.Context, C), init.Embedding(), ModelPart.Embedding);
        blocks = [.. Enumerable.Range(0, model.Layers).Select(layer => new Block(Parameters, config, layer, rotary))];
        norm = new Norm(Parameters, "norm", model);
        head = model.TieEmbeddings ? embedding : Parameters.Add("head.weight", (V, C), init.Matrix(C), ModelPart.Head);
        headBias = model.HasBias(model.HeadBias) ? Parameters.Add("head.bias", V, Initializer.Zeros, ModelPart.Head) : null;
        Trainable.Parse(config.Train.Trainable).Freeze(Parameters.All);
    }

    /// <summary>The configuration that it was built from.</summary>
    public RunConfig Config { get; }

    /// <summary>Its weights and gradients.</summary>
    public ParameterStore Parameters { get; }

    /// <summary>An empty cache for one sequence.</summary>
    public DecoderCache NewCache() => NewCache(whole: false);

    /// <summary>The same, with the <paramref name="whole"/> of its room at once.</summary>
    internal DecoderCache NewCache(bool whole) =>
        new([.. blocks.Select(block => block.Attention.NewCache(Parameters.Backend, whole, Config.Train.ActivationType))]);

    /// <summary>Whether its cache may have a <see cref="DecoderCache.State"/>, and a step of one token nothing of the host's.</summary>
    internal bool ReadsState => Array.TrueForAll(blocks, block => block.Attention.ReadsState);

    /// <summary>Logits for B sequences of T tokens. ids (B·T).</summary>
    public DecoderOutput Forward(Tape tape, Ints ids, int B, int T, Pass pass) => Forward(tape, new TokenBatch(ids, B, T), pass);

    /// <summary>
    /// Logits for the tokens of a batch; with a cache it is of one sequence that goes on from what the cache
    /// holds. <paramref name="lastOnly"/>: logits of the last token only (of one sequence, in inference). <paramref name="onState"/> is
    /// told the residual stream (B, T, C): state 0 after the embedding, i after layer i, the last one normed.
    /// <paramref name="onExperts"/> is told what the experts of each MoE layer are about to be given.
    /// </summary>
    public DecoderOutput Forward(
        Tape tape, TokenBatch tokens, Pass pass, DecoderCache? cache = null, bool lastOnly = false, Action<int, Tensor>? onState = null,
        Action<ExpertsInput>? onExperts = null)
    {
        ModelConfig model = Config.Model;
        ElementType type = Config.Train.ActivationType;          // of the residual stream and what is computed of it, but for the logits
        int B = tokens.B, T = tokens.T;
        tokens.Start = cache?.Length ?? 0;
        tokens.End = cache?.State is null ? tokens.Start + T : model.Context; // where the host does not know
        if (tokens.Start + T > model.Context)
            throw new ArgumentException($"{T} tokens from position {tokens.Start} do not fit a context of {model.Context}.");

        tape.Scope = "embedding";
        Tensor x = Times(tape.Embedding(embedding, tokens.Ids, type), model.EmbeddingMultiplier); // (B·T, C)
        if (positions is not null)
            x = x.Add(tape.Embedding(positions, tokens.Positions(tape), type));
        x = x.Reshape((B, T, model.Width));

        Tensor? branch = null;                                   // what the last sublayer computed; the next norm adds it to x
        RoutingContext context = RoutingContext.On(tape, pass, tokens);
        DecoderOutput output = DecoderOutput.Begin(tape);
        for (int layer = 0; layer < blocks.Length; layer++)
        {
            onState?.Invoke(layer, branch is null ? x : x.Add(branch));
            (x, Tensor h) = blocks[layer].Attend(x, branch, context, cache?[layer]); // (B, T, C)
            if (blocks[layer].Router is not null)
                onExperts?.Invoke(new ExpertsInput(layer, x, h));
            branch = blocks[layer].FeedForward(h, context, output); // (B, T, C)
        }

        if (cache is { State: null })
            cache.Advance(T);                                    // where the device has the place, the caller counts: see DecodeLoop
        if (lastOnly)
            (x, branch) = (LastToken(x), branch is null ? null : LastToken(branch));
        return output.With(Logits(x, branch, onState));
    }

    /// <summary>Norm and head of the sum of x and branch (..., C); result (N, V).</summary>
    private Tensor Logits(Tensor x, Tensor? branch, Action<int, Tensor>? onState)
    {
        ModelConfig model = Config.Model;
        x.Tape.Scope = "head";
        (_, Tensor h) = norm.Forward(x, branch);
        onState?.Invoke(blocks.Length, h);
        float shrink = 1f / model.LogitsScaling;                 // of h, which has fewer elements, where a bias is not to be shrunk too
        Tensor logits = headBias is null ? Times(h, shrink).LinearToFloat32(head)
            : Times(h.LinearToFloat32(head, headBias), shrink); // (B, T, V)
        return logits.Reshape((logits.Count / model.Vocabulary, model.Vocabulary));
    }

    /// <summary>After each update of the weights: routers learn from the loads of the step.</summary>
    public void EndStep()
    {
        foreach (Block block in blocks)
            block.Router?.EndStep();
    }

    /// <summary>Whether a router must know, before a new run, how often each id occurs in the text to learn.</summary>
    public bool WantsFrequencies => Array.Exists(blocks, block => block.Router is { WantsFrequencies: true });

    /// <summary>Before a new run: tells the routers how often each id occurs in the text to learn (V).</summary>
    public void Prepare(IReadOnlyList<int> frequencies)
    {
        foreach (Block block in blocks)
            block.Router?.Prepare(frequencies);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        rotary?.Dispose();
        Parameters.Dispose();
    }

    private static Tensor Times(Tensor x, float factor) => factor == 1f ? x : x.Scale(factor);

    /// <summary>The last row of x (B, T, C), as (1, C).</summary>
    private static Tensor LastToken(Tensor x)
    {
        int C = x.Shape.Last;
        return x.Tape.Borrow((1, C), x.Values.Slice(x.Count - C, C));
    }

    /// <summary>x + Attention(Norm(x)), then x + FeedForward(Norm(x)) (pre-norm, as GPT-2, Llama and Mixtral).</summary>
    private sealed class Block
    {
        private readonly float dropout;
        private readonly float multiplier;                       // of what a sublayer adds to x
        private readonly int layer;
        private readonly string attentionScope;
        private readonly string feedForwardScope;
        private readonly Norm attentionNorm;
        private readonly Norm feedForwardNorm;
        private readonly FeedForward? dense;
        private readonly MoeLayer? moe;

        public Block(ParameterStore store, RunConfig config, int layer, RotaryTable? rotary)
        {
            string name = $"layers.{layer}";
            ModelConfig model = config.Model;
            (dropout, multiplier, this.layer) = (model.Dropout, model.ResidualMultiplier, layer);
            attentionScope = $"layer {layer}, attention";
            feedForwardScope = $"layer {layer}, {(config.Moe.InLayer(layer) ? "experts" : "feed-forward")}";
            attentionNorm = new Norm(store, $"{name}.attention_norm", model);
            Attention = AttentionFactory.Create(store, $"{name}.attention", model, config.Attention, layer, rotary);
            feedForwardNorm = new Norm(store, $"{name}.feed_forward_norm", model);
            if (config.Moe.InLayer(layer))
                moe = new MoeLayer(store, $"{name}.moe", model, config.Moe, layer);
            else
                dense = new FeedForward(
                    store, $"{name}.feed_forward", ModelPart.FeedForward, model, model.HiddenOrDefault, model.FeedForwardBiases);
        }

        public IAttention Attention { get; }

        public Router? Router => moe?.Router;

        /// <summary>
        /// x and branch (B, T, C) or null, whose sum is the block's input; X is that with what attention adds, and H is X normed.
        /// </summary>
        public (Tensor X, Tensor H) Attend(Tensor x, Tensor? branch, RoutingContext context, AttentionCache? cache)
        {
            Pass pass = context.Pass;
            x.Tape.Scope = attentionScope;
            (x, Tensor h) = attentionNorm.Forward(x, branch);
            branch = Attention.Forward(h, pass, cache).Dropout(pass.Dropout(dropout, RandomPurpose.AttentionOutputDropout, layer));
            branch = Times(branch, multiplier);

            x.Tape.Scope = feedForwardScope;
            return feedForwardNorm.Forward(x, branch);
        }

        /// <summary>h (B, T, C), the stream normed, to what is added to the stream; experts tell how they were chosen.</summary>
        public Tensor FeedForward(Tensor h, RoutingContext context, DecoderOutput output, ExpertRows? known = null)
        {
            h.Tape.Scope = feedForwardScope;
            (Tensor branch, Routing? routing) = moe is null ? (dense!.Forward(h), null)
                : moe.Forward(h.Reshape((h.Count / h.Shape.Last, h.Shape.Last)), context, known);
            if (routing is not null)
                output.Add(layer, routing);
            Dropout dropped = context.Pass.Dropout(dropout, RandomPurpose.FeedForwardDropout, layer);
            return Times(branch.Reshape(h.Shape).Dropout(dropped), multiplier);
        }
    }
}
