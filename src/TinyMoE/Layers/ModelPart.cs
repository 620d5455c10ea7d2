namespace TinyMoE.Layers;

/// <summary>The part of a model that a parameter belongs to.</summary>
public enum ModelPart
{
    /// <summary>None of the others: a parameter of no <c>Decoder</c>.</summary>
    Other,

    /// <summary>The tables of tokens and positions.</summary>
    Embedding,

    /// <summary>The norms before attention, before the feed-forward, and at the end.</summary>
    Norms,

    /// <summary>Projections of attention, and what chooses among its experts.</summary>
    Attention,

    /// <summary>The experts inside attention (SwitchHead).</summary>
    AttentionExperts,

    /// <summary>The router of a layer: what decides between its experts.</summary>
    Router,

    /// <summary>The experts that tokens are routed to.</summary>
    Experts,

    /// <summary>The experts that every token passes, and their gate.</summary>
    SharedExperts,

    /// <summary>Feed-forward networks of layers without experts.</summary>
    FeedForward,

    /// <summary>The projection to the vocabulary, where the table of tokens is not it.</summary>
    Head,
}
