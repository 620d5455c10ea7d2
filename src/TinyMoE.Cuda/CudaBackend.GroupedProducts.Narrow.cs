using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Our own products of experts whose both sides lie in bfloat16 memory: read as they are; y and dx of either type, dw float32.
public sealed unsafe partial class CudaBackend
{
    private void OwnGroupedMatMul(
        Values x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue)
    {
        ReadWeights read = AsTheyLie(x, w);
        Tiling tiles = TilesOfRows(read, E, N, outputs, inputs, areAligned: true);
        if (y.Type == ElementType.Float32)
            Launch(
                tiles.AreLarge ? "grouped_forward_bfloat16_128" : "grouped_forward_bfloat16_64", tiles.Grid,
                read.Left, default(Ints), read.Right, offsets, E, N, inputs, outputs, y, epilogue.Bias, (int)epilogue.Activation,
                epilogue.Gate.Float32, epilogue.Activated.Float32, epilogue.Precision == ElementType.Bfloat16);
        else
            Launch(
                tiles.AreLarge ? "grouped_forward_narrow_128" : "grouped_forward_narrow_64", tiles.Grid,
                read.Left, default(Ints), read.Right, offsets, E, N, inputs, outputs, Narrow(y), epilogue.Bias, (int)epilogue.Activation,
                Narrow(epilogue.Gate), Narrow(epilogue.Activated), false);
    }

    private void OwnGroupedMatMulBackwardInput(Values dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        ReadWeights read = AsTheyLie(dy, w);
        Tiling tiles = TilesOfRows(read, E, N, inputs, outputs, areAligned: inputs % UnitOf(TensorCores.Bfloat16) == 0);
        if (dx.Type == ElementType.Float32)
            Launch(
                tiles.AreLarge ? "grouped_backward_input_bfloat16_128" : "grouped_backward_input_bfloat16_64", tiles.Grid,
                read.Left, read.Right, offsets, E, N, inputs, outputs, dx);
        else
            Launch(
                tiles.AreLarge ? "grouped_backward_input_narrow_128" : "grouped_backward_input_narrow_64", tiles.Grid,
                read.Left, read.Right, offsets, E, N, inputs, outputs, Narrow(dx));
    }
}
