using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Tensors;

namespace TinyMoE.Models;

// A forward pass that begins in the middle.
public sealed partial class Decoder
{
    /// <summary>
    /// The rest of a forward pass from the experts of a layer on, in which <paramref name="pass"/> may have them do otherwise: what lies
    /// before them does not change by that, and is not computed again. The routings are those from that layer on.
    /// </summary>
    internal DecoderOutput ForwardFrom(Tape tape, TokenBatch tokens, Pass pass, ExpertsInput from)
    {
        RoutingContext context = RoutingContext.On(tape, pass, tokens);
        DecoderOutput output = DecoderOutput.Begin(tape);
        Tensor x = tape.Borrow(from.Stream.Shape, from.Stream.Values); // (B, T, C)
        Tensor h = tape.Borrow(from.Normed.Shape, from.Normed.Values); // (B, T, C)
        Tensor branch = blocks[from.Layer].FeedForward(h, context, output, from.Known);
        foreach (Block block in blocks.AsSpan(from.Layer + 1))
        {
            (x, h) = block.Attend(x, branch, context, cache: null);
            branch = block.FeedForward(h, context, output);
        }

        return output.With(Logits(x, branch, onState: null));
    }
}
