using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>Granite MoE with a shared expert (IBM 2025).</summary>
internal sealed class GraniteMoeShared : Family
{
    /// <inheritdoc/>
    public override string Name => "granitemoeshared";

    /// <inheritdoc/>
    public override string Architecture => "GraniteMoeSharedForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. new GraniteMoe().Rules,
        new(["shared_intermediate_size"], "`moe.shared_hidden`")
        {
            Read = (file, keys) =>
            {
                keys["moe.shared_hidden"] = file.Whole("shared_intermediate_size", 0);
                keys["moe.shared_experts"] = keys.Whole("moe.shared_hidden") > 0 ? 1 : 0;
            },
            Write = (keys, file) => file["shared_intermediate_size"] =
                keys.Whole("moe.shared_experts") == 0 ? 0 : keys.Whole("moe.shared_hidden"),
        },
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        new GraniteMoe().AddNames(names, config);
        names.AddFused("moe.shared_experts", "shared_mlp.input_linear.weight", "shared_mlp.output_linear.weight");
    }
}
