namespace TinyMoE.Families.Config;

/// <summary>How weights are packed in a model's files, as <c>quantization_config</c> says.</summary>
/// <param name="BlockRows">Rows of a block that share a scale, of FP8 weights; 0: no weights are FP8.</param>
/// <param name="BlockColumns">Columns of such a block.</param>
internal sealed record Quantization(int BlockRows, int BlockColumns)
{
    /// <summary>Weights are what they are.</summary>
    public static Quantization None { get; } = new(0, 0);

    /// <summary>Reads it; MXFP4 tensors, which their names show, need nothing more.</summary>
    /// <exception cref="TinyMoEException">Weights are packed in a way that is not read.</exception>
    public static Quantization Read(FamilyConfig file)
    {
        if (file.Object("quantization_config") is not { } said)
            return None;
        string method = said.Text("quant_method", "");
        switch (method)
        {
            case "mxfp4":
                return None;
            case "fp8":
                IReadOnlyList<int> block = said.Wholes("weight_block_size");
                if (said.Text("fmt", "e4m3") != "e4m3")
                    throw said.Refused("fmt", "only e4m3 is");
                return block is [> 0, > 0] ? new Quantization(block[0], block[1])
                    : throw said.Bad("weight_block_size", "two whole numbers, the rows and columns of a block, above 0");
            default:
                throw said.Refused("quant_method", "known are fp8 and mxfp4; use a copy of the model in bfloat16");
        }
    }
}
