using TinyMoE.Backends;

namespace TinyMoE.Attention;

/// <summary>What the attention of one layer keeps of the tokens seen so far by one sequence.</summary>
/// <param name="capacity">Most tokens it holds.</param>
internal abstract class AttentionCache(int capacity) : IDisposable
{
    private int length;

    /// <summary>Most tokens it holds.</summary>
    public int Capacity { get; } = capacity;

    /// <summary>Tokens it holds.</summary>
    public virtual int Length => length;

    /// <summary>
    /// Where the device has the place of the next token, which comes alone, so that nothing of its step depends on what the host knows;
    /// null: the host says where tokens go.
    /// </summary>
    public DecodeState? State { get; set; }

    /// <summary>Makes sure that there is room for so many tokens; whether their memory is where it was.</summary>
    public virtual bool Reserve(int tokens) => true;

    /// <summary>Counts tokens that were appended.</summary>
    public virtual void Advance(int tokens) => length += tokens;

    /// <summary>Forgets all tokens.</summary>
    public void Clear() => length = 0;

    /// <summary>Gives the memory back.</summary>
    public abstract void Dispose();
}
