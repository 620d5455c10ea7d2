namespace TinyMoE.Families;

/// <summary>How a file keeps what is a parameter, or a part of one, here. F is the parameter's outputs, C its inputs.</summary>
internal enum Packing
{
    /// <summary>A tensor of the parameter's shape, or one per expert.</summary>
    Plain,

    /// <summary>The first half of the rows of a tensor (E, 2·F, C), or of a vector (E, 2·F).</summary>
    FirstRows,

    /// <summary>The second half of the rows.</summary>
    LastRows,

    /// <summary>A tensor (E, C, F), of inputs times outputs.</summary>
    Transposed,

    /// <summary>The even columns of a tensor (E, C, 2·F).</summary>
    EvenColumns,

    /// <summary>The odd columns of a tensor (E, C, 2·F).</summary>
    OddColumns,

    /// <summary>The even rows of a tensor (E, 2·F, C), or elements of a vector (E, 2·F).</summary>
    EvenRows,

    /// <summary>The odd rows, or elements.</summary>
    OddRows,
}

/// <summary>A name in a file, with <c>{layer}</c> and <c>{expert}</c> for the numbers, and how the tensor of that name is packed.</summary>
internal sealed record NameTemplate(string Name, Packing Packing = Packing.Plain);

/// <summary>
/// Collects what the files of a family call a model's tensors: by our name, with or without its last word (<c>weight</c>, <c>bias</c>),
/// one or several names, of which a file has one. The first is the one that is written.
/// </summary>
internal sealed class NameTable(string family)
{
    private const string Block = "model.layers.{layer}";

    private readonly Dictionary<string, IReadOnlyList<NameTemplate>> names = [];

    /// <summary>The table as it is.</summary>
    public TensorNames ToNames() => new(family, names);

    /// <summary>Adds a name outside the layers.</summary>
    public void Add(string ours, params IEnumerable<NameTemplate> theirs) => names[ours] = [.. theirs];

    /// <summary>Adds a plain name outside the layers.</summary>
    public void Add(string ours, string theirs) => Add(ours, new NameTemplate(theirs));

    /// <summary>Adds a name inside every layer.</summary>
    public void AddInLayer(string ours, params IEnumerable<NameTemplate> theirs) =>
        names[$"layers.{{layer}}.{ours}"] = [.. theirs.Select(template => template with { Name = $"{Block}.{template.Name}" })];

    /// <summary>Adds a plain name inside every layer.</summary>
    public void AddInLayer(string ours, string theirs) => AddInLayer(ours, new NameTemplate(theirs));

    /// <summary>Embedding, norms, head, and attention by four matrices, as Llama's.</summary>
    public void AddDecoder()
    {
        Add("embedding", "model.embed_tokens");
        Add("norm", "model.norm");
        Add("head", "lm_head");
        AddInLayer("attention_norm", "input_layernorm");
        AddInLayer("feed_forward_norm", "post_attention_layernorm");
        AddInLayer("attention.query", "self_attn.q_proj");
        AddInLayer("attention.key", "self_attn.k_proj");
        AddInLayer("attention.value", "self_attn.v_proj");
        AddInLayer("attention.output", "self_attn.o_proj");
    }

    /// <summary>Norms of queries and keys.</summary>
    public void AddQueryKeyNorm()
    {
        AddInLayer("attention.query_norm", "self_attn.q_norm");
        AddInLayer("attention.key_norm", "self_attn.k_norm");
    }

    /// <summary>A gated network whose matrices are named gate_proj, up_proj and down_proj.</summary>
    public void AddNetwork(string ours, string theirs)
    {
        AddInLayer($"{ours}.gate", $"{theirs}.gate_proj");
        AddInLayer($"{ours}.up", $"{theirs}.up_proj");
        AddInLayer($"{ours}.down", $"{theirs}.down_proj");
    }

    /// <summary>
    /// Experts, a tensor each: of gate, up and down, as these three words call them; or fused as transformers 5 keeps them in memory,
    /// <c>mlp.experts.gate_up_proj</c> (E, 2·F, C), gate first, and <c>mlp.experts.down_proj</c> (E, C, F).
    /// </summary>
    public void AddExperts(string module, string gate = "gate_proj", string up = "up_proj", string down = "down_proj")
    {
        const string Fused = "mlp.experts";
        Add("gate", gate, new NameTemplate($"{Fused}.gate_up_proj", Packing.FirstRows));
        Add("up", up, new NameTemplate($"{Fused}.gate_up_proj", Packing.LastRows));
        Add("down", down, new NameTemplate($"{Fused}.down_proj"));

        void Add(string ours, string theirs, NameTemplate fused) =>
            AddInLayer($"moe.experts.{ours}.weight", new NameTemplate($"{module}.{{expert}}.{theirs}.weight"), fused);
    }

    /// <summary>Gated networks with gate and up in one tensor, gate first: (E, 2·F, C), or of one network (2·F, C).</summary>
    public void AddFused(string ours, string gateUp, string down)
    {
        AddInLayer($"{ours}.gate.weight", new NameTemplate(gateUp, Packing.FirstRows));
        AddInLayer($"{ours}.up.weight", new NameTemplate(gateUp, Packing.LastRows));
        AddInLayer($"{ours}.down.weight", down);
    }
}
